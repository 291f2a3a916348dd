#include "im/callers/rate_classes.h"

#include "base/macros.h"

#define OPTION(member) offsetof(struct im_config, member)

/* The rate is an option in tokens a second, or one that is the time for a token. */
struct rate_class_row {
	const char *label, *refusal;
	bool is_interval;
	size_t rate, burst;
};

static const struct rate_class_row rate_class_rows[RATE_CLASSES] = {
	[RATE_CALL] = { "call", "too many calls in a short time", false, OPTION(limits_call_rate), OPTION(limits_call_burst) },
	[RATE_SEND] = { "send", "too many messages in a short time", false, OPTION(limits_send_rate), OPTION(limits_send_burst) },
	[RATE_CONVERSATION] = { "conversation", "too many messages to this conversation in a short time", false,
	                        OPTION(limits_conversation_rate), OPTION(limits_conversation_burst) },
	[RATE_LOGIN] = { "login", "too many wrong passwords of this user", true, OPTION(limits_login_interval_ms),
	                 OPTION(limits_login_burst) },
	[RATE_LOGIN_ADDRESS] = { "login_address", "too many wrong passwords from this address", true,
	                         OPTION(limits_login_address_interval_ms), OPTION(limits_login_address_burst) },
	[RATE_REGISTER] = { "register", "too many registrations from this address", true, OPTION(limits_register_interval_ms),
	                    OPTION(limits_register_burst) },
	[RATE_LOGOUT] = { "logout", "too many logouts of this user", true, OPTION(limits_logout_interval_ms),
	                  OPTION(limits_logout_burst) },
	[RATE_ADDRESS] = { "address", "too many calls without a valid token from this address", false, OPTION(limits_address_rate),
	                   OPTION(limits_address_burst) },
	[RATE_FRIEND_REQUEST] = { "friend_request", "too many friend requests of this user", true,
	                          OPTION(limits_friend_request_interval_ms), OPTION(limits_friend_request_burst) },
	[RATE_GROUP] = { "group", "too many new groups of this user", true, OPTION(limits_group_interval_ms),
	                 OPTION(limits_group_burst) },
};

static double rate_class_option(const struct im_config *config, size_t offset)
{
	return (double)*(const int64_t *)((const char *)config + offset);
}

struct rate_bucket_limit rate_class_limit(const struct im_config *config, enum rate_class class)
{
	const struct rate_class_row *row = &rate_class_rows[class];
	double rate = rate_class_option(config, row->rate);

	return (struct rate_bucket_limit){ row->is_interval ? 1000 / rate : rate, rate_class_option(config, row->burst) };
}

struct str rate_class_label(enum rate_class class)
{
	return str_from(rate_class_rows[class].label);
}

const char *rate_class_refusal(enum rate_class class)
{
	return rate_class_rows[class].refusal;
}
