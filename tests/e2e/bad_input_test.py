"""Every field of every call wrong in every way: a clear 4xx that names it, nothing stored, and the service goes on.

Requests are compared with docs/*.yaml too: the schemas refuse every value that the services refuse, except values that only a
service can know to be wrong (`Known`).
"""
import asyncio
import copy
import json

import pytest

import cluster
import schemas
from client import direct, recipient, unique

MISSING = object()
SAMPLES = {"text": "x", "number": 7, "real": 1.5, "truth": True, "list": [], "object": {}}


class Known:
    """A value that a schema cannot tell to be wrong."""

    def __init__(self, value):
        self.value = value


def other_than(*kinds):
    return [value for kind, value in SAMPLES.items() if kind not in kinds]


def required(*kinds):
    return [MISSING, None, *other_than(*kinds)]


NO_IDENT = ["", "x" * 65, "a b", "a/b", "a:b", "é", "a\n", "\t", "*", "\u2028", "a\x7f"]
NO_NAME = ["", "n" * 129, "日" * 129, "a\nb", "\x01", "\t", "a\x7f", "\x85"]
SEND = {
    "client_msg_id": required("text") + ["", "k" * 65, "a b", "é", "a\n", "\x7f", "\x01", "日本"],
    "to": required("object", "list") + [[], {}, {"user": None}, {"room": "x"}, {"user": "a", "group": "b"}],
    "to.user": other_than("text") + NO_IDENT,
    "to.group": other_than("text") + NO_IDENT,
    "type": required("text") + ["", "TEXT", "text ", "recall", "edit", "reaction", "system", "x" * 1000, "\x01", "é"],
    "body": required("object"),
    "body.text": required("text") + [""],
    "reply_to": other_than("number") + [0, -1, 2**53, 2**63 - 1, 1e300, -1.5, Known(1), Known(2**40)],
    "mentions": other_than("list") + [[None], [1], [""], ["a b"], ["x" * 65], [["a"]], [{}], ["é"], ["**"], ["a,b"], ["a"] * 51,
                                      Known(["*"])],
}
REGISTER = {
    "uid": required("text") + NO_IDENT,
    "name": required("text") + NO_NAME,
    "password": required("text") + ["", Known("12345"), Known("é" * 65), "p" * 129],
}
LOGIN = {"uid": required("text") + NO_IDENT, "password": required("text") + [Known("é" * 65), "p" * 129]}
GROUP = {
    "name": required("text") + NO_NAME,
    "members": other_than("list") + [[None], [1], [""], ["a b"], ["x" * 65], [["a"]], ["*"], ["m"] * 1001],
    "join": other_than("text") + ["", "INVITE", "closed", "x" * 1000],
    "history": other_than("text") + ["", "ALL", "none"],
}


def changed(body, field, value):
    """A copy of the body with this value in the field. The other kind of recipient is removed."""
    body = copy.deepcopy(body)
    *path, name = field.split(".")
    place = body
    for step in path:
        place = place[step]
    if path == ["to"]:
        place.clear()
    if value is MISSING:
        del place[name]
    else:
        place[name] = value
    return body


async def refuse_each(call, path, body, field, values):
    """Posts the body with each of the values, each of which must be refused."""
    faults = []
    for case in values:
        value, is_known = (case.value, True) if isinstance(case, Known) else (case, False)
        wrong = changed(body, field, value)
        shown = "missing" if value is MISSING else repr(value)[:60]
        answer = await call("POST", path, body=wrong)
        if (answer.status, answer.json.get("code")) != (400, "invalid_argument"):
            faults.append(f"{field} {shown}: {answer.status} {answer.json}")
        elif answer.field != field and not (answer.field or "").startswith(f"{field}."):
            faults.append(f"{field} {shown}: names {answer.field}")
        elif field.rsplit(".", 1)[-1] not in answer.json["detail"]:
            faults.append(f"{field} {shown}: says {answer.json['detail']}")
        if not is_known and not schemas.request_fault("POST", path, wrong):
            faults.append(f"{field} {shown}: openapi.yaml would allow it")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("field", SEND)
async def test_a_bad_field_of_a_message_is_named_and_nothing_is_stored(skein, field):
    alice, bob = await skein.users("alice", "bob")
    body = alice.draft(bob, key="k")
    await refuse_each(alice.request, "/v1/messages", body, field, SEND[field])
    assert await alice.read(bob) == []
    assert (await alice.post(body)).expect(200).json["seq"] == 1


@pytest.mark.parametrize("field", REGISTER)
async def test_a_bad_field_of_a_registration_is_named_and_nobody_is_registered(skein, field):
    body = {"uid": unique("alice"), "name": "Alice", "password": "a password"}
    await refuse_each(skein.request, "/v1/users", body, field, REGISTER[field])
    (await skein.request("POST", "/v1/users", body=body)).expect(201)


@pytest.mark.parametrize("field", LOGIN)
async def test_a_bad_field_of_a_login_is_named(skein, field):
    await refuse_each(skein.request, "/v1/auth/login", {"uid": unique("alice"), "password": "x"}, field, LOGIN[field])


@pytest.mark.parametrize("field", GROUP)
async def test_a_bad_field_of_a_group_is_named(skein, field):
    alice, bob = await skein.users("alice", "bob")
    body = {"name": "a group", "members": [bob.uid], "join": "open", "history": "all"}
    await refuse_each(alice.request, "/v1/groups", body, field, GROUP[field])


async def test_an_unknown_member_is_named_and_no_group_is_made(skein):
    alice, bob = await skein.users("alice", "bob")
    nobody = unique("nobody")
    answer = await alice.request("POST", "/v1/groups", body={"name": "g", "members": [bob.uid, nobody]})
    answer.expect(404, "not_found", "members")
    assert nobody in answer.json["detail"]


async def test_a_group_counts_each_member_once_and_its_owner_always(skein):
    alice, bob = await skein.users("alice", "bob")
    for members, count in ([], 1), ([alice], 1), ([bob, bob, alice], 2):
        assert (await alice.group(*members)).made["member_count"] == count
    made = (await alice.request("POST", "/v1/groups", body={"name": "日" * 128, "members": None})).expect(201).json
    assert (made["name"], made["join"], made["history"], made["owner"]) == ("日" * 128, "invite", "all", alice.uid)


async def test_a_bad_batch_is_refused_as_a_whole(skein):
    alice, bob = await skein.users("alice", "bob")
    message = alice.draft(bob)
    values = required("list") + [[], [message] * 101]
    await refuse_each(alice.request, "/v1/messages/batch", {"messages": []}, "messages", values)
    assert await alice.read(bob) == []


@pytest.mark.parametrize("field", SEND)
async def test_a_bad_field_of_a_message_in_a_batch_is_named_in_its_place(skein, field):
    alice, bob = await skein.users("alice", "bob")
    body = alice.draft(bob, key="k")
    values = [v.value if isinstance(v, Known) else v for v in SEND[field]]
    batch = [changed(body, field, value) for value in values] + [body]
    *refused, stored = (await alice.post_batch(batch)).expect(200).json["results"]
    for value, result in zip(values, refused, strict=True):
        error = result.get("error", {})
        assert error.get("code") == "invalid_argument", (value, result)
        assert error["field"] == field or error["field"].startswith(f"{field}."), (value, result)
    assert stored["seq"] == 1 and len(await alice.read(bob)) == 1


async def test_any_item_of_a_batch_that_is_no_object_is_refused_in_its_place(skein):
    alice, bob = await skein.users("alice", "bob")
    items = [None, 1, "x", [], True, {}]
    results = (await alice.post_batch([*items, alice.draft(bob)])).expect(200).json["results"]
    assert [r.get("error", {}).get("code") for r in results] == ["invalid_argument"] * 6 + [None]


async def test_unknown_fields_are_ignored_everywhere(skein):
    alice, bob = await skein.users("alice", "bob")
    extra = {"x": 1, "": None, "seq": 77, "from": "root", "msg_id": "1", "time": 1, "recalled": True}
    sent = (await alice.post({**alice.draft(bob), **extra, "to": {**recipient(bob), "room": "r"}})).expect(200).json
    assert sent["seq"] == 1
    message, = await bob.read(alice)
    assert message["from"] == alice.uid and message["msg_id"] == sent["msg_id"] and message["time"] == sent["time"]
    await alice.group(bob, **extra)
    body = {"uid": unique("u"), "name": "n", "password": "a password", **extra}
    (await skein.request("POST", "/v1/users", body=body)).expect(201)
    (await alice.request("POST", "/v1/auth/refresh", body=b"not looked at")).expect(200)


# ---- the document as a whole ----

def nested(depth):
    return b"[" * depth + b"]" * depth


NO_DOCUMENTS = {
    "nothing": b"", "blanks": b" \n", "a word": b"hello", "a text": b'"x"', "a number": b"7", "null": b"null", "a list": b"[]",
    "half": b'{"client_msg_id": "k', "an open object": b"{", "two objects": b"{}{}", "something after it": b'{} x',
    "a comma too many": b'{"a": 1,}', "a comment": b'{} // x', "single quotes": b"{'a': 1}", "no quotes": b"{a: 1}",
    "NaN": b'{"a": NaN}', "Infinity": b'{"a": -Infinity}', "leading zero": b'{"a": 01}', "hexadecimal": b'{"a": 0x1}',
    "a byte order mark": b"\xef\xbb\xbf{}", "UTF-16": '{"a": 1}'.encode("utf-16"), "Latin-1": b'{"a": "\xe9"}',
    "overlong UTF-8": b'{"a": "\xc0\xaf"}', "half a character": b'{"a": "\xe2\x82"}', "a surrogate in UTF-8": b'{"a": "\xed\xa0\x80"}',
    "beyond Unicode": b'{"a": "\xf4\x90\x80\x80"}', "a lone surrogate": b'{"a": "\\ud800"}', "a NUL": b'{"a": "\\u0000"}',
    "a NUL in a key": b'{"a\\u0000": 1}', "a raw NUL": b'{"a": "\0"}', "a raw newline in a text": b'{"a": "\n"}',
    "a bad escape": b'{"a": "\\x"}', "100 levels": b'{"a": ' + nested(100) + b"}", "33 levels": b'{"a": ' + nested(32) + b"}",
    "30,000 levels": b'{"a": ' + nested(30000) + b"}", "30,000 open ones": b'{"a": ' + b"[" * 30000, "a huge exponent": b'{"a": 1e999}',
    "an integer of 40 digits": b'{"a": ' + b"9" * 40 + b"}", "a key twice": b'{"a": 1, "a": 1}',
    "a key twice, written otherwise": b'{"a": 1, "\\u0061": 1}', "a key twice inside": b'{"x": {"a": 1, "a": 2}}',
}
CALLS = ["/v1/messages", "/v1/messages/batch", "/v1/groups", "/v1/users", "/v1/auth/login"]


@pytest.mark.parametrize("name", NO_DOCUMENTS)
async def test_a_body_that_is_no_clean_json_object_is_refused_by_every_call(skein, name):
    alice = skein.user("alice")
    for path in CALLS:
        answer = await alice.request("POST", path, body=NO_DOCUMENTS[name])
        answer.expect(400, "invalid_argument")
        assert answer.json["detail"], path


@pytest.mark.parametrize("at", ["document", "body"])
async def test_a_good_message_that_is_spoiled_in_one_place_is_not_stored(skein, at):
    alice, bob = await skein.users("alice", "bob")
    good = json.dumps(alice.draft(bob, "SPOILT", key="k")).encode()
    spoilt = {"document": [(b"}}", b'}, "type": "text"}', "type"), (b'{"client', b'{"reply_to": 1e999, "client', "reply_to"),
                           (b'{"client', b'{"reply_to": 99999999999999999999, "client', "reply_to")],
              "body": [(b"SPOILT", b"\xff", None), (b"SPOILT", b"\\u0000", None), (b"SPOILT", b"\\udead", None),
                       (b'"SPOILT"', b'"x", "text": "y"', "text"), (b'"SPOILT"', b'"x", "n": 1e999', "n"),
                       (b'"SPOILT"', b'"x", "n": ' + nested(100), None)]}
    for old, new, field in spoilt[at]:
        answer = await alice.request("POST", "/v1/messages", body=good.replace(old, new, 1))
        answer.expect(400, "invalid_argument", field)
    assert await alice.read(bob) == []
    sent = await alice.request("POST", "/v1/messages", body=good)
    assert sent.expect(200).json["seq"] == 1


async def test_the_deepest_body_that_is_allowed_arrives(skein):
    alice, bob = await skein.users("alice", "bob")
    phone = await bob.connect()
    body = {"a": json.loads(nested(30))}
    await alice.say(bob, type="custom", body=body)
    assert (await phone.message())["body"] == body


async def test_the_content_type_does_not_matter(skein):
    alice, bob = await skein.users("alice", "bob")
    for kind in "text/plain", "application/json; charset=latin-1", "x":
        (await alice.request("POST", "/v1/messages", body=alice.draft(bob), headers={"Content-Type": kind})).expect(200)


# ---- paths, methods, headers ----

async def test_an_unknown_path_is_404_and_another_method_405(skein):
    alice = skein.user("alice")
    for path in "/", "/v1", "/v1/", "/v1/messages/", "//v1/messages", "/v1/Messages", "/v2/messages", "/v1/conversations//messages", \
            "/v1/users/x/y", "/readyz/x", "/v1/%6dessages/x", "/../v1/messages", "/v1/messages%00":
        (await alice.request("GET", path)).expect(404, "not_found")
    for path in "/healthz", "/readyz", "/metrics":  # on the internal port only
        assert (await skein.session.get(cluster.HTTP[0] + path)).status == 404
    for method, path, allowed in [("GET", "/v1/messages", {"POST"}), ("DELETE", "/v1/messages", {"POST"}),
                                  ("PUT", "/v1/groups", {"POST"}), ("POST", "/v1/endpoints", {"GET", "HEAD"}),
                                  ("PATCH", "/v1/conversations/g:x/messages", {"GET", "HEAD", "DELETE"}), ("OPTIONS", "/v1/users", {"POST"})]:
        answer = await alice.request(method, path)
        assert set(answer.expect(405, "method_not_allowed").headers["Allow"].split(", ")) == allowed


async def test_head_answers_as_get_does_without_a_body(skein):
    alice, bob = await skein.users("alice", "bob")
    await alice.say(bob)
    path = f"/v1/conversations/{direct(alice, bob)}/messages"
    head, get = await alice.request("HEAD", path), await alice.request("GET", path)
    assert head.expect(200).headers["Content-Length"] == get.headers["Content-Length"]
    assert not head.bytes


async def test_the_request_id_is_the_callers_or_a_new_one(skein):
    ids = set()
    for given, kept in ("x", True), ("a b ~!", True), ("y" * 64, True), ("z" * 65, False), ("é", False), ("", False):
        answer = await skein.session.get(f"{cluster.HTTP[0]}/v1/endpoints", headers={"X-Request-Id": given})
        returned = answer.headers.getall("X-Request-Id")
        assert len(returned) == 1 and (returned[0] == given) == kept
        ids.add(returned[0])
    assert len(ids) == 6


async def test_a_traceparent_right_or_wrong_does_no_harm(skein):
    alice, bob = await skein.users("alice", "bob")
    for value in "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0-0-0", "x" * 5000, "":
        (await alice.request("POST", "/v1/messages", body=alice.draft(bob), headers={"traceparent": value})).expect(200)


async def test_a_bad_room_of_endpoints_is_named(skein):
    alice = skein.user("alice")
    for room in "", "a b", "x" * 65, "é":
        (await alice.request("GET", "/v1/endpoints", query={"room": room})).expect(400, "invalid_argument", "room")
    (await alice.request("GET", "/v1/endpoints", query={"room": "lobby", "unknown": "x"})).expect(200)


# ---- rates ----

async def test_sends_faster_than_a_person_are_429_with_a_time_to_wait(skein):
    alice, bob = await skein.users("alice", "bob")
    refused = []
    for _ in range(100):  # batches keep the allowance used up, on a slow machine too
        batch, *single = await asyncio.gather(alice.post_batch([alice.draft(bob) for _ in range(100)]),
                                              *(alice.post(alice.draft(bob)) for _ in range(5)))
        codes = [r["error"]["code"] for r in batch.expect(200).json["results"] if "error" in r]
        assert set(codes) <= {"rate_limited"}
        refused = [answer for answer in single if answer.status != 200]
        if codes and refused:
            break
    assert refused
    for answer in refused:
        answer.expect(429, "rate_limited")
        assert 1 <= int(answer.headers["Retry-After"]) <= 10
    stored = [m["seq"] for m in await bob.read_all(alice)]
    assert stored == list(range(1, len(stored) + 1)), "what was refused took no seq"
    await bob.say(alice)
