"""Requests made from docs/openapi.yaml by Schemathesis, good and bad ones: no answer is off the document, and none is a 5xx.

SCHEMA_FUZZ_S is how long it goes on. It breaks what its user may break (a broadcast to everyone, failed logins of this address), so it
is among the tests that have a cluster for themselves.
"""
import asyncio
import os
import re

import cluster

SECONDS = int(os.environ.get("SCHEMA_FUZZ_S", "15"))
TOOLS = cluster.ROOT / "build" / "schema-tools"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance"


async def output_of(*words, within_s):
    process = await asyncio.create_subprocess_exec(
        *map(str, words), cwd=cluster.RUN_DIR, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT)
    try:
        out, _ = await asyncio.wait_for(process.communicate(), within_s)
    except TimeoutError:
        process.kill()
        raise
    return process.returncode, out.decode()


async def test_no_request_has_an_answer_off_the_document_or_a_5xx(skein):
    code, out = await output_of(cluster.ROOT / "tests" / "e2e" / "tools", TOOLS, within_s=60)
    assert code == 0, out
    await cluster.all_ready()
    admin = skein.user("fuzz", scope="admin")
    # One worker: the tool's version fails with two. A logout would end its token; what gateways and internal ports serve is elsewhere.
    code, out = await output_of(
        TOOLS / "bin" / "schemathesis", "run", cluster.ROOT / "docs" / "openapi.yaml", "--url", cluster.HTTP[0],
        "-H", f"Authorization: Bearer {admin.token}", "--checks", CHECKS, "--max-time", SECONDS, "--workers", "1", "--seed", "1",
        "--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--no-color", "--exclude-tag", "internal",
        "--exclude-path", "/ws", "--exclude-operation-id", "logout", "--generation-database", "none", within_s=SECONDS + 40)
    assert code == 0, out[out.find("FAILURES"):][:8000]
    cases = re.search(r"(\d+) generated", out)
    assert cases and int(cases[1]) > 200, out[-2000:]
    await cluster.all_ready()
