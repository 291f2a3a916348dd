#include "store/redis/redis_command.h"

#include <assert.h>

#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/text/decimal.h"

/* Bytes around an argument: "$", 20 digits and CR LF before it, CR LF after it. */
#define FRAMING 25

static char *command_put_number(char *at, char kind, size_t number)
{
	char digits[DECIMAL_SIZE];
	struct str text = decimal(digits, number);

	*at++ = kind;
	memcpy(at, text.ptr, text.len);
	at += text.len;
	*at++ = '\r';
	*at++ = '\n';
	return at;
}

static char *command_put_arg(char *at, struct str arg)
{
	at = command_put_number(at, '$', arg.len);
	if (arg.len)
		memcpy(at, arg.ptr, arg.len);
	at += arg.len;
	*at++ = '\r';
	*at++ = '\n';
	return at;
}

/* Room for the run_id, which is filled in when the command is sent, and the rest of the argument. */
static char *command_put_generation(char *at, struct str rest)
{
	at = command_put_number(at, '$', RUN_ID_LEN + rest.len);
	memset(at, '0', RUN_ID_LEN);
	at += RUN_ID_LEN;
	if (rest.len)
		memcpy(at, rest.ptr, rest.len);
	at += rest.len;
	*at++ = '\r';
	*at++ = '\n';
	return at;
}

struct redis_command *redis_command_new(const struct redis_args *pieces, unsigned piece_count)
{
	size_t count = 0, size = FRAMING + RUN_ID_LEN; /* of one argument at most */

	for (unsigned p = 0; p < piece_count; p++) {
		count += pieces[p].count;
		for (unsigned i = 0; i < pieces[p].count; i++)
			size += FRAMING + pieces[p].args[i].len;
	}
	assert(size <= UINT32_MAX);
	struct redis_command *command = mem_alloc(sizeof(*command) + size);
	*command = (struct redis_command){ .done = NULL };
	char *at = command_put_number(command->bytes, '*', count);
	for (unsigned p = 0; p < piece_count; p++) {
		for (unsigned i = 0; i < pieces[p].count; i++) {
			if (!str_starts_with(pieces[p].args[i], REDIS_GENERATION)) {
				at = command_put_arg(at, pieces[p].args[i]);
				continue;
			}
			struct str rest = str_of(pieces[p].args[i].ptr + REDIS_GENERATION.len,
			                         pieces[p].args[i].len - REDIS_GENERATION.len);
			at = command_put_generation(at, rest);
			command->generation_at = (uint32_t)(at - command->bytes - 2 - rest.len - RUN_ID_LEN);
		}
	}
	command->len = (uint32_t)(at - command->bytes);
	return command;
}

struct str redis_command_name(const struct redis_command *command)
{
	struct str rest = str_of(command->bytes, command->len);

	if (command->script)
		return str_from(command->script->name);
	str_cut(&rest, '\n');
	str_cut(&rest, '\n');
	return str_cut(&rest, '\r');
}

/* The first words of temporary errors: nothing was executed, and a later try may succeed. */
static const char *const passing_errors[] = {
	"LOADING", "MASTERDOWN", "READONLY", "OOM", "BUSY", "MISCONF", "NOREPLICAS", "CLUSTERDOWN", "TRYAGAIN", "NOSCRIPT",
};

static struct str command_first_word(const redisReply *error)
{
	struct str rest = str_of(error->str, error->len);

	return str_cut(&rest, ' ');
}

/* The text of an error without the command's arguments, which the server repeats: they may be private. */
static struct str command_without_args(const redisReply *error)
{
	const char *args = strstr(error->str, ", with args");

	return str_of(error->str, MIN(args ? (size_t)(args - error->str) : error->len, 200));
}

err_t redis_classify(const struct redis_command *command, const redisReply *reply, bool *is_stale)
{
	*is_stale = false;
	if (reply->type != REDIS_REPLY_ERROR)
		return OK;
	struct str word = command_first_word(reply);
	*is_stale = str_equal(word, STR("READONLY"));
	for (size_t i = 0; i < ARRAY_LEN(passing_errors); i++) {
		if (!str_equal(word, str_from(passing_errors[i])))
			continue;
		log_warn("redis refused a command for now", LOG_STR("command", redis_command_name(command)),
		         LOG_STR("message", command_without_args(reply)));
		return ERR_UNAVAILABLE;
	}
	log_error("redis refused a command", LOG_STR("command", redis_command_name(command)),
	          LOG_STR("message", command_without_args(reply)));
	return ERR_INTERNAL;
}

bool redis_is_unknown_script(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ERROR && str_equal(command_first_word(reply), STR("NOSCRIPT"));
}
