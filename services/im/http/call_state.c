#include "im/http/call_state.h"

#include "base/mem.h"

struct call *call_create(const struct call_shared *shared, struct http_request *request, const struct call_route *route)
{
	struct call *call = mem_alloc(sizeof(*call));

	memset(call, 0, offsetof(struct call, room));
	call->shared = shared;
	call->request = request;
	call->route = route;
	arena_init(&call->arena, call->room, sizeof(call->room));
	return call;
}

void call_drop_json(struct call *call)
{
	json_decref(call->json);
	call->json = NULL;
}

void call_release(struct call *call)
{
	call_drop_json(call);
	if (call->secret.len)
		explicit_bzero((char *)call->secret.ptr, call->secret.len);
	buf_release(&call->out);
	arena_release(&call->arena);
	mem_free(call);
}
