#include "im/http/call.h"

#include "base/users/address.h"
#include "im/http/call_state.h"
#include "im/http/trace_context.h"

struct str call_uid(const struct call *call)
{
	return caller_uid(&call->caller);
}

const struct caller *call_caller(const struct call *call)
{
	return &call->caller;
}

struct str call_token(const struct call *call)
{
	return jwt_from_authorization(http_request_header(call->request, "Authorization"));
}

struct str call_trace(const struct call *call)
{
	return traceparent_or_none(http_request_header(call->request, "traceparent"));
}

struct str call_address(struct call *call)
{
	struct address address;

	address_from(&address, http_request_address(call->request));
	return call_copy(call, str_from(address.text));
}

void *call_context(const struct call *call)
{
	return *(void *const *)((const char *)call->shared->contexts + call->route->context);
}

void *call_alloc(struct call *call, size_t size)
{
	return arena_alloc(&call->arena, size);
}

struct str call_copy(struct call *call, struct str text)
{
	return arena_copy(&call->arena, text);
}

struct str call_keep(struct call *call, struct buf *text)
{
	struct str copy = call_copy(call, buf_str(text));

	buf_release(text);
	return copy;
}

void *call_make_state(struct call *call, size_t size)
{
	call->state = call_alloc(call, size);
	return call->state;
}

void *call_state(const struct call *call)
{
	return call->state;
}

/* ---- rates ---- */

static void call_refuse_rate(struct call *call, enum rate_class class, uint64_t wait_ms)
{
	call_retry_after(call, wait_ms);
	call_fail(call, ERR_RATE_LIMITED, NULL, rate_class_refusal(class));
}

bool call_take(struct call *call, enum rate_class class, struct str key)
{
	uint64_t wait_ms = 0;

	if (rates_take(call->shared->rates, class, key, &wait_ms))
		return true;
	call_refuse_rate(call, class, wait_ms);
	return false;
}

void call_give_back(struct call *call, const struct rate_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		rates_give_back(call->shared->rates, &keys[i]);
}

/* Asks for one key after the other. The keys before `at` are taken. */
struct call_asking {
	struct call *call;
	struct rate_key *keys;
	size_t count, at;
	void (*taken)(struct call *call);
};

static void call_ask_next(struct call_asking *asking);

static void call_on_asked(void *arg, bool is_taken, uint64_t wait_ms)
{
	struct call_asking *asking = arg;

	if (is_taken) {
		asking->at++;
		call_ask_next(asking);
		return;
	}
	call_give_back(asking->call, asking->keys, asking->at);
	call_refuse_rate(asking->call, asking->keys[asking->at].class, wait_ms);
}

static void call_ask_next(struct call_asking *asking)
{
	if (asking->at == asking->count)
		asking->taken(asking->call);
	else
		rates_ask(asking->call->shared->rates, &asking->keys[asking->at], call_on_asked, asking);
}

void call_take_exactly(struct call *call, struct rate_key *keys, size_t count, void (*taken)(struct call *call))
{
	struct call_asking *asking = call_alloc(call, sizeof(*asking));

	*asking = (struct call_asking){ call, keys, count, 0, taken };
	call_ask_next(asking);
}

/* ---- answering ---- */

struct buf *call_out(struct call *call)
{
	return &call->out;
}

void call_forbid_caching(struct call *call)
{
	http_add_header(call->request, "Cache-Control", "no-store");
}

void call_ok(struct call *call, int status)
{
	http_respond_json(call->request, status, &call->out);
	call_release(call);
}

void call_no_content(struct call *call)
{
	http_respond_json(call->request, 204, NULL);
	call_release(call);
}

void call_fail(struct call *call, err_t err, const char *field, const char *detail)
{
	http_respond_problem(call->request, err, field, detail);
	call_release(call);
}

void call_fail_unauthenticated(struct call *call)
{
	call_fail(call, ERR_UNAUTHENTICATED, NULL, "a valid bearer token is required");
}

void call_retry_after(struct call *call, uint64_t wait_ms)
{
	if (wait_ms)
		http_set_retry_after(call->request, (unsigned)(wait_ms / 1000 + 1));
}
