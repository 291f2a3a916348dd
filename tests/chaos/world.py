"""Users and conversations of a chaos run: users with devices, pairs, groups of ten, one group with half of the users, and
groups whose members come and go."""
import asyncio
import base64
import hashlib
import hmac
import json
import random
import time

import aiohttp

OBSERVER = "observer"
FLAPPER = "flapper"
OBSERVERS = 6  # the first users have one each
PLAIN_PER_S = 3  # sends by a plain POST
CHANGES_PER_S = 4  # of the members of all churning groups together, besides the bursts
SHUTTLE_PAUSE_S = 0.25  # from one change of the passenger's groups to the next
STALL_EVERY_S, FLAP_EVERY_S, LIE_EVERY_S = 8, 0.5, 0.6  # the clients of odd.py
CHURNING = 2  # groups whose members come and go
CORE = 6  # members of each that stay; the first is the owner
POOL = 40  # members of each that come and go; at first half of them are in
SHUTTLES = 3  # groups that the passenger is added to and removed from in turn, by their owner
PASSENGER, OWNER = 5, 6  # which users these are. The passenger has an observer


def segment(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=")


def token(secret, uid):
    signed = segment(b'{"alg":"HS256","typ":"JWT"}') + b"." + segment(
        json.dumps({"sub": uid, "exp": int(time.time()) + 86400}).encode())
    return (signed + b"." + segment(hmac.new(secret.encode(), signed, hashlib.sha256).digest())).decode()


def plan(seed, users, rate, secret):
    """The part that does not need the cluster: users, pairs of friends, and groups without their ids."""
    rng = random.Random(f"world {seed}")
    uids = [f"u{i:03d}" for i in range(users)]
    pairs = {tuple(sorted(rng.sample(uids, 2))) for _ in range(2 * users)}
    shuffled = rng.sample(uids, users)
    groups = [shuffled[i:i + 10] for i in range(0, users, 10)] + [shuffled[:users // 2]]
    churning = []
    for _ in range(CHURNING):
        # The first users have one observer each (see chaos): some of these users stay, some come and go.
        others = rng.sample(uids[4:], CORE - 1 + min(POOL, users // 2))
        pool = uids[1:4] + others[CORE - 1:]
        churning.append({"core": others[:CORE - 1] + uids[:1], "pool": pool, "first": pool[::2], "is_shuttle": False})
    churning += [{"core": uids[OWNER:OWNER + 2], "pool": [uids[PASSENGER]], "first": [], "is_shuttle": True}
                 for _ in range(SHUTTLES)]
    people = [{"uid": uid, "token": token(secret, uid), "devices": ["phone", "tablet"] if i % 2 else ["phone"],
               "conversations": [], "passing": []} for i, uid in enumerate(uids)]
    of = {person["uid"]: person for person in people}
    for one, other in sorted(pairs):
        for uid, peer in ((one, other), (other, one)):
            of[uid]["conversations"].append({"id": f"u:{one}:{other}", "to": {"user": peer}})
    return {"seed": seed, "rate": rate, "users": people, "groups": groups, "churning": churning}


async def settle(plan_, bases):
    """Creates the accounts and the groups, and fills in their ids."""
    of = {person["uid"]: person for person in plan_["users"]}
    plan_["bases"] = bases
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        async def ask(method, path, person, body=None):
            headers = {"Authorization": f"Bearer {person['token']}"}
            async with session.request(method, bases[0] + path, headers=headers, json=body) as answer:
                text = await answer.text()
                if answer.status >= 300:
                    raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]}")
                return json.loads(text)
        await asyncio.gather(*(ask("GET", "/v1/endpoints", person) for person in plan_["users"]))
        for members in plan_["groups"]:
            made = await ask("POST", "/v1/groups", of[members[0]], {"name": "chaos", "members": members[1:]})
            for uid in members:
                of[uid]["conversations"].append({"id": made["conversation_id"], "to": {"group": made["group_id"]}})
        for group in plan_["churning"]:
            made = await ask("POST", "/v1/groups", of[group["core"][0]],
                             {"name": "churn", "members": group["core"][1:] + group["first"], "history": "since_join"})
            group.update(id=made["conversation_id"], group_id=made["group_id"])
            for uid in group["core"]:
                of[uid]["conversations"].append({"id": group["id"], "to": {"group": group["group_id"]}})
            for uid in group["pool"]:
                of[uid]["passing"].append({"id": group["id"]})


def groups_of(plan_, is_shuttle):
    return [group for group in plan_["churning"] if group["is_shuttle"] == is_shuttle]


def members_of(plan_):
    """{conversation: its uids}, of those whose members stay"""
    churning = {group["id"] for group in plan_["churning"]}
    members = {}
    for person in plan_["users"]:
        for conversation in person["conversations"]:
            if conversation["id"] not in churning:
                members.setdefault(conversation["id"], set()).add(person["uid"])
    return members
