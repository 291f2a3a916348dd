"""Requests that every endpoint of docs/openapi.yaml refuses in the same way. A unit test compares im's route table with it.

Each answer is compared with the document too: an endpoint that does not list its 401 there fails here.
"""
import re

import pytest

import schemas

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CALLS = [(method.upper(), path) for path, operations in schemas.OPENAPI["paths"].items()
         for method, operation in operations.items() if method.upper() in METHODS and "x-who" in operation]
PATHS = sorted({path for _, path in CALLS})
GOOD = {"id": "g:nothing", "seq": "1"}  # valid values of parameters; all other parameters are ids
BAD = ["a%20b", "x" * 65, "%C3%A9", "a%2Fb", "%00x"]
BAD_OF = {"emoji": ["%20", "x" * 33, "%0A", "%E2%80%8D", "%F0%9F%91", "%00x"]}  # all else is an emoji


def who(method, path):
    return schemas.OPENAPI["paths"][path][method.lower()]["x-who"]


def filled(path, **values):
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], GOOD.get(match[1], "x")), path)


def is_at(path, url):
    """/v1/users/me is at /v1/users/{uid}, too."""
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), url)


def caller(skein, method, path):
    """A user who may call it; None where anyone may."""
    claims = {"anyone": None, "user": {}, "admin": {"scope": "admin"}}[who(method, path)]
    return claims if claims is None else skein.user("caller", **claims)


async def call(skein, method, path, url, **arguments):
    user = caller(skein, method, path)
    return await (user or skein).request(method, url, **arguments)


def test_the_document_lists_calls_of_every_kind():
    assert {who(*one) for one in CALLS} == {"anyone", "user", "admin"}
    assert len(CALLS) >= 11


@pytest.mark.parametrize("method, path", CALLS)
async def test_no_token_or_a_bad_one_is_401_unless_anyone_may_call(skein, method, path):
    if who(method, path) == "anyone":
        return
    for token in None, "x", skein.user("late", exp=1).token:
        answer = await skein.request(method, filled(path), token=token, body={} if method != "GET" else None)
        answer.expect(401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("method, path", [one for one in CALLS if who(*one) == "admin"])
async def test_a_user_who_is_no_admin_is_403(skein, method, path):
    for claims in {}, {"scope": "user"}, {"scope": "administrator"}:
        (await skein.user("alice", **claims).request(method, filled(path))).expect(403, "permission_denied")


@pytest.mark.parametrize("path", PATHS)
async def test_another_method_is_405_with_those_that_there_are(skein, path):
    alice = skein.user("alice", scope="admin")
    served = {method for method, other in CALLS if is_at(other, filled(path))}
    allowed = served | ({"HEAD"} if "GET" in served else set())
    for method in set(METHODS) - served:
        answer = (await alice.request(method, filled(path))).expect(405, "method_not_allowed")
        assert set(answer.headers["Allow"].split(", ")) == allowed, method


@pytest.mark.parametrize("method, path", [one for one in CALLS if schemas.takes_body(one[0], filled(one[1]))])
async def test_a_body_that_is_no_json_object_is_400(skein, method, path):
    for body in b"", b"{", b"[]", b"null", b'{"a": 1, "a": 2}', b'{"a": "\xff"}', b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}":
        (await call(skein, method, path, filled(path), body=body)).expect(400, "invalid_argument")


@pytest.mark.parametrize("method, path", [one for one in CALLS if one[0] != "GET"])
async def test_a_body_over_the_limit_is_413(skein, method, path):
    (await call(skein, method, path, filled(path), body=b" " * 65537)).expect(413, "too_large")


@pytest.mark.parametrize("method, path, name", [(*one, name) for one in CALLS for name in re.findall(r"\{(\w+)\}", one[1])])
async def test_a_bad_id_in_the_path_is_named(skein, method, path, name):
    for value in BAD_OF.get(name, BAD):
        url = filled(path, **{name: value})
        answer = await call(skein, method, path, url, body={} if schemas.takes_body(method, filled(path)) else None)
        answer.expect(400, "invalid_argument", name)
