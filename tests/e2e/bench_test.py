"""skein-bench against the cluster: its figures fit what it did."""
import asyncio
import json
import os
import pathlib
import tempfile

import cluster


async def test_a_run_shows_every_stage_of_its_messages_and_writes_to_each_conversation_again(skein):
    async def conversations():
        return sum([await cluster.metric(push, "skein_push_conversations") for push in ("push-1", "push-2")])
    before = await conversations()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "figures.json"
        process = await asyncio.create_subprocess_exec(
            f"{os.environ['BIN']}/skein-bench", "p2p", "--users", "6", "--partners", "2", "--rate", "48", "--seconds", "1",
            "--json", str(path), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
        said = (await process.communicate())[0].decode()
        assert process.returncode == 0, said
        result = json.loads(path.read_text())["result"]
    assert (result["accepted"], result["refused"], result["missing"]) == (48, 0, 0), said
    assert await conversations() - before == 12, "6 users write to 2 others each, 4 times"
    stages = result["stages_ms"]
    # The answers of gateways may still be under way when the last frame has come.
    assert {name: stage["count"] for name, stage in stages.items() if name in ("batch_wait", "kafka", "order")} == \
        {"batch_wait": 48, "kafka": 48, "order": 48}
    assert all(0 < stage["p50"] <= stage["p90"] <= stage["p99"] for stage in stages.values()), stages
    assert all(result["cpu"][name]["switches_each"] > 0 for name in ("im", "push", "gateway"))
