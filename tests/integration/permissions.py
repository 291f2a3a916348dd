"""Who may do what: a row for each call, a column for each caller. im_permissions_test.py makes a test of every cell.

A call of docs/openapi.yaml without a row fails the test, one on conversations without a row in either table as well. A caller without a token
and a disabled one are 401 in every row and have no column. In a path and a body OWNER, OTHER_ADMIN, TARGET, NEW, ASKING stand for users, GID for
the group, OWN for the seq of a message of the caller (of a stranger: of TARGET), OTHERS for that of a message of TARGET. What a cell says:
a status, or one of WORDS.
"""

WORDS = {"denied": (403, "permission_denied"), "not_member": (403, "not_member"), "muted": (403, "muted"), "blocked": (403, "blocked"),
         "failed": (409, "failed_precondition"), "exists": (409, "already_exists"), "missing": (404, "not_found")}

CONVERSATION, MESSAGE, ADMIN_MESSAGE = "/v1/conversations/{id}", "/v1/conversations/{id}/messages/{seq}", "/v1/admin/conversations/{id}/messages/{seq}"
TEXT = {"client_msg_id": "k", "type": "text", "body": {"text": "x"}}
EDIT = {"body": {"text": "y"}}
UNTIL = {"until": 2 ** 41}

# Every caller stands in a group of its own kind: `muted` cannot send, `removed` was a member.
GROUP_CALLERS = ("owner", "admin", "member", "muted", "removed", "stranger")
GROUP = [
    # call, what is filled into the path (`?`: the query), body, answers
    ("GET /v1/groups/{gid}", {}, None, "200 200 200 200 not_member not_member"),
    ("PATCH /v1/groups/{gid}", {}, {"name": "New"}, "200 200 denied denied not_member not_member"),
    ("DELETE /v1/groups/{gid}", {}, None, "204 denied denied denied not_member not_member"),
    ("PUT /v1/groups/{gid}/owner", {}, {"uid": "TARGET"}, "204 denied denied denied not_member not_member"),
    ("POST /v1/groups/{gid}/join", {}, None, "exists exists exists exists 202 202"),
    ("POST /v1/groups/{gid}/leave", {}, None, "failed 204 204 204 not_member not_member"),
    ("GET /v1/groups/{gid}/requests", {}, None, "200 200 denied denied not_member not_member"),
    ("POST /v1/groups/{gid}/requests/{uid}/accept", {"uid": "ASKING"}, None, "204 204 denied denied not_member not_member"),
    ("POST /v1/groups/{gid}/requests/{uid}/reject", {"uid": "ASKING"}, None, "204 204 denied denied not_member not_member"),
    ("GET /v1/groups/{gid}/members", {}, None, "200 200 200 200 not_member not_member"),
    ("POST /v1/groups/{gid}/members", {}, {"uids": ["NEW"]}, "204 204 denied denied not_member not_member"),
    ("DELETE /v1/groups/{gid}/members/{uid}", {"uid": "TARGET"}, None, "204 204 denied denied not_member not_member"),
    ("DELETE /v1/groups/{gid}/members/{uid}", {"uid": "OTHER_ADMIN"}, None, "204 denied denied denied not_member not_member"),
    ("DELETE /v1/groups/{gid}/members/{uid}", {"uid": "OWNER"}, None, "failed denied denied denied not_member not_member"),
    ("PUT /v1/groups/{gid}/members/{uid}/role", {"uid": "TARGET"}, {"role": "admin"}, "204 denied denied denied not_member not_member"),
    ("PUT /v1/groups/{gid}/members/{uid}/role", {"uid": "OWNER"}, {"role": "member"}, "failed denied denied denied not_member not_member"),
    ("PUT /v1/groups/{gid}/members/{uid}/mute", {"uid": "TARGET"}, UNTIL, "204 204 denied denied not_member not_member"),
    ("PUT /v1/groups/{gid}/members/{uid}/mute", {"uid": "OTHER_ADMIN"}, UNTIL, "204 denied denied denied not_member not_member"),
    ("PUT /v1/groups/{gid}/members/{uid}/mute", {"uid": "OWNER"}, UNTIL, "denied denied denied denied not_member not_member"),
    ("POST /v1/messages", {}, {**TEXT, "to": {"group": "GID"}}, "200 200 200 muted not_member not_member"),
    ("POST /v1/messages", {}, {**TEXT, "to": {"group": "GID"}, "mentions": ["*"]}, "200 200 denied muted not_member not_member"),
    (f"PATCH {CONVERSATION}", {}, {"muted": True}, "204 204 204 204 not_member not_member"),
    (f"DELETE {CONVERSATION}", {}, None, "204 204 204 204 not_member not_member"),
    (f"PUT {CONVERSATION}/read", {}, {"seq": 1}, "204 204 204 204 not_member not_member"),
    (f"GET {CONVERSATION}/messages", {}, None, "200 200 200 200 not_member not_member"),
    (f"DELETE {CONVERSATION}/messages", {}, None, "204 204 204 204 not_member not_member"),
    (f"POST {MESSAGE}/recall", {"seq": "OWN"}, None, "200 200 200 200 not_member not_member"),
    (f"POST {MESSAGE}/recall", {"seq": "OTHERS"}, None, "200 200 denied denied not_member not_member"),
    (f"POST {MESSAGE}/edit", {"seq": "OWN"}, EDIT, "200 200 200 200 not_member not_member"),
    (f"POST {MESSAGE}/edit", {"seq": "OTHERS"}, EDIT, "denied denied denied denied not_member not_member"),
    (f"POST {MESSAGE}/reactions", {"seq": "OTHERS"}, {"emoji": "+"}, "200 200 200 200 not_member not_member"),
    (f"DELETE {MESSAGE}/reactions/{{emoji}}", {"seq": "OTHERS", "emoji": "x"}, None, "missing missing missing missing not_member not_member"),
    (f"GET {MESSAGE}/readers", {"seq": "OWN"}, None, "200 200 200 200 not_member not_member"),
    (f"GET {MESSAGE}/readers", {"seq": "OTHERS"}, None, "denied denied denied denied not_member not_member"),
    (f"GET {CONVERSATION}/pins", {}, None, "200 200 200 200 not_member not_member"),
    (f"PUT {CONVERSATION}/pins/{{seq}}", {"seq": "OTHERS"}, None, "200 200 denied denied not_member not_member"),
    (f"DELETE {CONVERSATION}/pins/{{seq}}", {"seq": "OTHERS"}, None, "missing missing denied denied not_member not_member"),
]

# One-to-one: two who talk, one who is blocked by the other, the one who blocked, and somebody else.
DIRECT_CALLERS = ("side", "blocked", "blocker", "stranger")
DIRECT = [
    ("POST /v1/messages", {}, {**TEXT, "to": {"user": "PEER"}}, "200 blocked 200 200"),
    (f"PATCH {CONVERSATION}", {}, {"muted": True}, "204 204 204 not_member"),
    (f"DELETE {CONVERSATION}", {}, None, "204 204 204 not_member"),
    (f"PUT {CONVERSATION}/read", {}, {"seq": 1}, "204 204 204 not_member"),
    (f"GET {CONVERSATION}/messages", {}, None, "200 200 200 not_member"),
    (f"DELETE {CONVERSATION}/messages", {}, None, "204 204 204 not_member"),
    (f"POST {MESSAGE}/recall", {"seq": "OWN"}, None, "200 200 200 not_member"),
    (f"POST {MESSAGE}/recall", {"seq": "OTHERS"}, None, "denied denied denied not_member"),
    (f"POST {MESSAGE}/edit", {"seq": "OWN"}, EDIT, "200 blocked 200 not_member"),
    (f"POST {MESSAGE}/edit", {"seq": "OTHERS"}, EDIT, "denied denied denied not_member"),
    (f"POST {MESSAGE}/reactions", {"seq": "OTHERS"}, {"emoji": "+"}, "200 blocked 200 not_member"),
    (f"DELETE {MESSAGE}/reactions/{{emoji}}", {"seq": "OTHERS", "emoji": "x"}, None, "missing missing missing not_member"),
    (f"GET {MESSAGE}/readers", {"seq": "OWN"}, None, "failed failed failed not_member"),
    (f"GET {CONVERSATION}/pins", {}, None, "200 200 200 not_member"),
    (f"PUT {CONVERSATION}/pins/{{seq}}", {"seq": "OTHERS"}, None, "200 blocked 200 not_member"),
    (f"DELETE {CONVERSATION}/pins/{{seq}}", {"seq": "OTHERS"}, None, "missing blocked missing not_member"),
]

# Everything else: a user, and one with the scope `admin`.
PLAIN = [
    ("GET /v1/users/{uid}", {"uid": "TARGET"}, None, "200 200"),
    ("PATCH /v1/users/me", {}, {"name": "Me"}, "200 200"),
    ("POST /v1/auth/refresh", {}, None, "200 200"),
    ("GET /v1/endpoints", {}, None, "503 503"),  # there is no router
    ("POST /v1/messages/batch", {}, {"messages": [{**TEXT, "to": {"user": "TARGET"}}]}, "200 200"),
    ("GET /v1/conversations", {}, None, "200 200"),
    ("GET /v1/presence", {"?": "uids=TARGET"}, None, "200 200"),
    ("GET /v1/sync", {}, None, "200 200"),
    ("POST /v1/groups", {}, {"name": "x"}, "201 201"),
    ("POST /v1/friends/requests", {}, {"to": "TARGET"}, "201 200"),
    ("GET /v1/friends/requests", {}, None, "200 200"),
    ("POST /v1/friends/requests/{id}/accept", {"id": "999999"}, None, "missing missing"),
    ("POST /v1/friends/requests/{id}/reject", {"id": "999999"}, None, "missing missing"),
    ("GET /v1/friends", {}, None, "200 200"),
    ("PATCH /v1/friends/{uid}", {"uid": "TARGET"}, {"remark": "x"}, "missing missing"),
    ("DELETE /v1/friends/{uid}", {"uid": "TARGET"}, None, "missing missing"),
    ("GET /v1/blocks", {}, None, "200 200"),
    ("PUT /v1/blocks/{uid}", {"uid": "NEW"}, None, "204 204"),
    ("DELETE /v1/blocks/{uid}", {"uid": "NEW"}, None, "204 missing"),
    # an admin's, which the scope opens
    (f"GET {ADMIN_MESSAGE}/edits", {"id": "g:nothing", "seq": "1"}, None, "denied missing"),
    ("POST /v1/admin/broadcast", {}, {**TEXT, "uids": ["TARGET"]}, "denied 202"),
    ("GET /v1/admin/jobs", {}, None, "denied 200"),
    ("GET /v1/admin/jobs/{id}", {"id": "999999"}, None, "denied missing"),
    ("POST /v1/admin/jobs/{id}/cancel", {"id": "999999"}, None, "denied missing"),
    ("GET /v1/admin/jobs/{id}/output", {"id": "999999"}, None, "denied missing"),
    ("POST /v1/admin/users/{uid}/export", {"uid": "nobody"}, None, "denied missing"),
    ("GET /v1/admin/nodes", {}, None, "denied 200"),
    ("GET /v1/admin/stats", {}, None, "denied 200"),
    ("GET /v1/admin/audit", {}, None, "denied 200"),
    ("GET /v1/admin/users", {}, None, "denied 200"),
    ("POST /v1/admin/users", {}, {"uid": "TARGET-made", "name": "x"}, "denied 201"),
    ("PATCH /v1/admin/users/{uid}", {"uid": "nobody"}, {"disabled": False}, "denied missing"),
    ("DELETE /v1/admin/users/{uid}", {"uid": "nobody"}, None, "denied missing"),
    ("POST /v1/admin/users/{uid}/logout", {"uid": "nobody"}, None, "denied missing"),
    ("POST /v1/admin/kick", {}, {"uid": "nobody"}, "denied missing"),
    ("POST /v1/admin/messages", {}, {**TEXT, "from": "TARGET", "to": {"user": "NEW"}}, "denied 200"),
    ("POST /v1/auth/logout", {}, None, "204 204"),  # the last one: the callers' tokens are no more
]
