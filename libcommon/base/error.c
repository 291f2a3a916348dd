#include "base/error.h"

#include <string.h>

struct error_row {
	const char *name;
	const char *code;
	int http_status;
	int grpc_status;
	int close_code;
};

static const struct error_row rows[ERR_COUNT] = {
#define X(name, code, http, grpc, close) [name] = { #name, code, http, grpc, close },
	ERROR_TABLE(X)
#undef X
};

/* A number outside the table is a bug and is shown as ERR_INTERNAL. */
static const struct error_row *row_of(err_t err)
{
	return &rows[(unsigned)err < ERR_COUNT ? err : ERR_INTERNAL];
}

const char *err_name(err_t err)
{
	return row_of(err)->name;
}

const char *err_code(err_t err)
{
	return row_of(err)->code;
}

int err_http_status(err_t err)
{
	return row_of(err)->http_status;
}

int err_grpc_status(err_t err)
{
	return row_of(err)->grpc_status;
}

int err_close_code(err_t err)
{
	return row_of(err)->close_code;
}

err_t err_from_code(const char *code)
{
	for (unsigned i = 0; i < ERR_COUNT; i++)
		if (strcmp(rows[i].code, code) == 0)
			return (err_t)i;
	return ERR_INTERNAL;
}

err_t err_from_grpc_status(int status)
{
	/* By the numbers of grpc/status.h, which this layer does not include. */
	static const err_t of_status[] = {
		[0] = OK,
		[1] = ERR_CLOSED, /* cancelled */
		[2] = ERR_INTERNAL, /* unknown */
		[3] = ERR_INVALID_ARGUMENT,
		[4] = ERR_TIMEOUT,
		[5] = ERR_NOT_FOUND,
		[6] = ERR_ALREADY_EXISTS,
		[7] = ERR_PERMISSION_DENIED,
		[8] = ERR_RATE_LIMITED, /* resource exhausted */
		[9] = ERR_FAILED_PRECONDITION,
		[10] = ERR_UNAVAILABLE, /* aborted */
		[11] = ERR_TOO_LARGE, /* out of range */
		[12] = ERR_METHOD_NOT_ALLOWED, /* unimplemented */
		[13] = ERR_INTERNAL,
		[14] = ERR_UNAVAILABLE,
		[15] = ERR_INTERNAL, /* data loss */
		[16] = ERR_UNAUTHENTICATED,
	};

	if (status < 0 || (size_t)status >= ARRAY_LEN(of_status))
		return ERR_INTERNAL;
	return of_status[status];
}
