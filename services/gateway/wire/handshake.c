#include "gateway/wire/handshake.h"

#include "base/clock.h"
#include "base/text/ident.h"
#include "base/telemetry/log.h"
#include "base/text/utf8.h"
#include "cluster/inbox_epoch.h"

#define EPOCH_CHARACTERS 15
#define OFFSET_DIGITS 20

static err_t handshake_authenticate(struct handshake *out, const struct ws_handshake *request, struct jwt_keys *keys)
{
	char in_query[JWT_MAX_BYTES + 1];
	const char *why = "the token is given twice or too long";

	int len = ws_query(request, "token", in_query, sizeof(in_query));
	struct str token = len == WS_QUERY_ABSENT ? jwt_from_authorization(request->authorization)
	                                          : str_of(in_query, len > 0 ? (size_t)len : 0);
	err_t err = ERR_UNAUTHENTICATED;
	if (len != WS_QUERY_BAD)
		err = jwt_verify(keys, token, clock_wall_ms(), &out->claims, &why);
	if (!err && !ident_is_valid(str_from(out->claims.uid))) {
		why = "the token's subject is no uid";
		err = ERR_UNAUTHENTICATED;
	}
	if (err)
		log_debug("handshake refused", LOG_STR("address", request->address), LOG_TEXT("why", why));
	return err;
}

static err_t handshake_bad(const char **detail, const char *sentence)
{
	*detail = sentence;
	return ERR_INVALID_ARGUMENT;
}

static err_t handshake_read_device(struct handshake *out, const struct ws_handshake *request, const char **detail)
{
	int len = ws_query(request, "device", out->device, sizeof(out->device));

	if (len == WS_QUERY_ABSENT)
		return handshake_bad(detail, "device is required");
	if (len < 0 || !ident_is_valid(str_of(out->device, (size_t)len)))
		return handshake_bad(detail, "device must be 1 to 64 of A-Z a-z 0-9 _ . -");
	len = ws_query(request, "platform", out->platform, sizeof(out->platform));
	if (len == WS_QUERY_ABSENT)
		return handshake_bad(detail, "platform is required");
	if (len < 0 || !platform_is_valid(str_of(out->platform, (size_t)len)))
		return handshake_bad(detail, "platform must be one of ios, android, web, desktop, mini, bot");
	return OK;
}

static err_t handshake_read_position(struct handshake *out, const struct ws_handshake *request, const char **detail)
{
	char epoch[4 * EPOCH_CHARACTERS + 1], offset[OFFSET_DIGITS + 1];
	int epoch_len = ws_query(request, "epoch", epoch, sizeof(epoch));
	int offset_len = ws_query(request, "offset", offset, sizeof(offset));

	if (epoch_len == WS_QUERY_ABSENT && offset_len == WS_QUERY_ABSENT)
		return OK;
	if (epoch_len == WS_QUERY_ABSENT || offset_len == WS_QUERY_ABSENT)
		return handshake_bad(detail, "epoch and offset go together");
	if (epoch_len < 1 || utf8_length(str_of(epoch, (size_t)epoch_len)) > EPOCH_CHARACTERS)
		return handshake_bad(detail, "epoch must be 1 to 15 characters");
	if (offset_len < 1 || strspn(offset, "0123456789") != (size_t)offset_len)
		return handshake_bad(detail, "offset must be 1 to 20 decimal digits");
	out->has_position = true;
	out->epoch = inbox_epoch_parse(str_of(epoch, (size_t)epoch_len));
	if (!str_to_u64(str_of(offset, (size_t)offset_len), &out->offset))
		out->offset = UINT64_MAX; /* beyond any inbox */
	return OK;
}

err_t handshake_read(struct handshake *out, const struct ws_handshake *request, struct jwt_keys *keys,
                     const char **detail)
{
	char ack[2];

	*out = (struct handshake){ 0 };
	err_t err = handshake_authenticate(out, request, keys);
	if (!err)
		err = handshake_read_device(out, request, detail);
	if (!err)
		err = handshake_read_position(out, request, detail);
	if (err)
		return err;
	int len = ws_query(request, "ack", ack, sizeof(ack));
	if (len != WS_QUERY_ABSENT && (len != 1 || (ack[0] != '0' && ack[0] != '1')))
		return handshake_bad(detail, "ack must be 0 or 1");
	out->never_acks = len == 1 && ack[0] == '0';
	return OK;
}
