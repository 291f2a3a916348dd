#include "store/pg/pg_result.h"

#include <assert.h>
#include <endian.h>

#include "base/telemetry/log.h"

const char *pg_sqlstate(const PGresult *result)
{
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;

	return state ? state : "";
}

struct str pg_first_line(const char *message)
{
	struct str rest = str_from(message);

	return str_cut(&rest, '\n');
}

static bool result_is_one_of(const char *state, const char *const *states, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strncmp(state, states[i], strlen(states[i])) == 0)
			return true;
	}
	return false;
}

/* Temporary errors: the statement itself is right. A class is named by its first characters. */
static const char *const passing[] = {
	"40001", /* serialization_failure */
	"40P01", /* deadlock_detected */
	"57014", /* query_canceled, statement_timeout included */
	"55P03", /* lock_not_available */
	"53", /* insufficient_resources */
	"57P", /* the server stops or starts */
	"42P01", /* undefined_table, and the next two: the schema was not made yet */
	"42883", /* undefined_function */
	"3F000", /* invalid_schema_name */
};

static const char *const of_a_value[] = {
	"22", /* data_exception */
	"23", /* integrity_constraint_violation */
	"54", /* program_limit_exceeded */
};

bool pg_blames_a_value(const PGresult *result)
{
	return result_is_one_of(pg_sqlstate(result), of_a_value, ARRAY_LEN(of_a_value));
}

/* Errors of this connection only: another connection would execute the statement. */
static const char *const stale[] = {
	"25006", /* read_only_sql_transaction: the primary became a standby */
	"26000", /* invalid_sql_statement_name: a proxy in between has dropped our prepared statements */
};

/* After a migration: "cached plan must not change result type", which has no code of its own. */
static bool result_is_replanned(const PGresult *result)
{
	const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

	return strcmp(pg_sqlstate(result), "0A000") == 0 && function && strcmp(function, "RevalidateCachedQuery") == 0;
}

/* Errors of class 22 quote the bad value, and values must not be logged. */
static struct str result_loggable_message(const PGresult *result)
{
	if (strncmp(pg_sqlstate(result), "22", 2) == 0)
		return STR("bad value");
	return str_from(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
}

err_t pg_classify(const PGresult *result, const char *statement, bool *is_stale)
{
	const char *state = pg_sqlstate(result);
	ExecStatusType status = PQresultStatus(result);

	*is_stale = false;
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY)
		return OK;
	if (strcmp(state, "23505") == 0)
		return ERR_ALREADY_EXISTS;
	*is_stale = result_is_one_of(state, stale, ARRAY_LEN(stale)) || result_is_replanned(result);
	if (*is_stale || result_is_one_of(state, passing, ARRAY_LEN(passing))) {
		log_warn("postgresql refused a statement for now", LOG_TEXT("statement", statement),
		         LOG_TEXT("sqlstate", state), LOG_STR("message", result_loggable_message(result)));
		return ERR_UNAVAILABLE;
	}
	log_error("postgresql refused a statement", LOG_TEXT("statement", statement), LOG_TEXT("sqlstate", state),
	          LOG_STR("message", result_loggable_message(result)));
	return ERR_INTERNAL;
}

struct str pg_text(const PGresult *result, int row, int column)
{
	if (PQgetisnull(result, row, column))
		return (struct str){ NULL, 0 };
	return str_of(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

static uint32_t result_read_u32(const char *bytes)
{
	uint32_t number;

	memcpy(&number, bytes, sizeof(number));
	return be32toh(number);
}

int64_t pg_i64(const PGresult *result, int row, int column)
{
	struct str cell = pg_text(result, row, column);
	uint16_t i16;
	uint64_t i64;

	switch (cell.len) {
	case 0:
		return 0;
	case sizeof(i16):
		memcpy(&i16, cell.ptr, sizeof(i16));
		return (int16_t)be16toh(i16);
	case sizeof(uint32_t):
		return (int32_t)result_read_u32(cell.ptr);
	case sizeof(i64):
		memcpy(&i64, cell.ptr, sizeof(i64));
		return (int64_t)be64toh(i64);
	default:
		assert(!"a column that is not an integer is read as one");
		return 0;
	}
}

bool pg_bool(const PGresult *result, int row, int column)
{
	struct str cell = pg_text(result, row, column);

	return cell.len == 1 && cell.ptr[0];
}

#define ARRAY_HEADER 20
#define NO_ELEMENT UINT32_MAX

size_t pg_text_array(const PGresult *result, int row, int column, struct str *out, size_t max)
{
	struct str cell = pg_text(result, row, column);
	size_t count = 0;

	/* An empty array has no dimension; ours have one. */
	if (cell.len < ARRAY_HEADER || result_read_u32(cell.ptr) != 1)
		return 0;
	size_t total = result_read_u32(cell.ptr + 12);
	cell = str_of(cell.ptr + ARRAY_HEADER, cell.len - ARRAY_HEADER);
	for (; count < total && count < max && cell.len >= sizeof(uint32_t); count++) {
		uint32_t len = result_read_u32(cell.ptr);
		cell = str_of(cell.ptr + sizeof(len), cell.len - sizeof(len));
		if (len == NO_ELEMENT) {
			out[count] = (struct str){ NULL, 0 };
			continue;
		}
		if (len > cell.len)
			break;
		out[count] = str_of(cell.ptr, len);
		cell = str_of(cell.ptr + len, cell.len - len);
	}
	return count;
}
