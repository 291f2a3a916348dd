#include "base/telemetry/log.h"
#include "im/http/call.h"
#include "im/http/call_state.h"

void call_explain(struct call *call, const struct call_reason *reasons)
{
	call->reasons = reasons;
}

static struct call_reason call_query_reason(const struct call *call, err_t err)
{
	for (const struct call_reason *reason = call->reasons; reason && reason->err; reason++)
		if (reason->err == err)
			return *reason;
	return (struct call_reason){ .err = err };
}

/* A column of the first row, which libpq terminates; `fallback` where there is none. */
static const char *call_query_cell(const PGresult *result, const char *column, const char *fallback)
{
	int number = PQfnumber(result, column);

	return number < 0 || PQgetisnull(result, 0, number) ? fallback : PQgetvalue(result, 0, number);
}

/* OK where the statement gives no verdict. */
static err_t call_query_verdict(const PGresult *result)
{
	if (PQnfields(result) == 0 || strcmp(PQfname(result, 0), "verdict") != 0)
		return OK;
	if (PQntuples(result) == 0) {
		log_error("a statement with a verdict returned no row");
		return ERR_INTERNAL;
	}
	return err_from_code(PQgetvalue(result, 0, 0));
}

static void call_query_on_result(void *arg, err_t err, const PGresult *result)
{
	struct call *call = arg;

	if (err) {
		call_fail(call, err == ERR_ALREADY_EXISTS ? ERR_ALREADY_EXISTS : ERR_UNAVAILABLE, NULL, NULL);
		return;
	}
	err = call_query_verdict(result);
	if (!err) {
		call->done(call, result);
		return;
	}
	struct call_reason reason = call_query_reason(call, err);
	call_fail(call, err, call_query_cell(result, "field", reason.field), call_query_cell(result, "detail", reason.detail));
}

static void call_query_if(bool is_read, struct call *call, const struct pg_statement *statement, struct pg_params *params,
                          call_rows done)
{
	if (!is_read) {
		pg_params_release(params);
		return;
	}
	call->done = done;
	pg_query(call->shared->pg, PG_ANY_LANE, statement, params, call_query_on_result, call);
}

void call_query(struct call *call, const struct pg_statement *statement, struct pg_params *params, call_rows done)
{
	call_query_if(call_finish_reading(call), call, statement, params, done);
}

void call_query_reading(struct call *call, const struct pg_statement *statement, struct pg_params *params, call_rows done)
{
	call_query_if(call_check_reading(call), call, statement, params, done);
}
