#include "rpc/core/rpc_status.h"

#include <grpc/status.h>

/* True if the code names one error. Several errors share the code "unavailable", so the status decides between them. */
static bool rpc_status_is_told_by_code(struct str code, int grpc_status, err_t *err)
{
	char text[32];

	if (code.len == 0 || !str_copy(text, sizeof(text), code))
		return false;
	*err = err_from_code(text);
	return *err != OK && str_equal(str_from(err_code(*err)), code) && err_grpc_status(*err) == grpc_status;
}

err_t rpc_status_error(int grpc_status, struct str code)
{
	err_t err;

	if (grpc_status == GRPC_STATUS_OK)
		return OK;
	if (rpc_status_is_told_by_code(code, grpc_status, &err))
		return err;
	switch (grpc_status) {
	case GRPC_STATUS_CANCELLED: /* by a server that shuts down */
		return ERR_UNAVAILABLE;
	case GRPC_STATUS_RESOURCE_EXHAUSTED: /* gRPC uses it for a message over the limit */
		return ERR_TOO_LARGE;
	default:
		return err_from_grpc_status(grpc_status);
	}
}

void rpc_detail_escape(char out[RPC_DETAIL_MAX + 1], struct str text)
{
	static const char digits[] = "0123456789abcdef";
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		bool is_plain = c >= 0x20 && c < 0x7f;

		if (len + (is_plain ? 1 : 4) > RPC_DETAIL_MAX)
			break;
		if (is_plain) {
			out[len++] = (char)c;
		} else {
			out[len++] = '\\';
			out[len++] = 'x';
			out[len++] = digits[c >> 4];
			out[len++] = digits[c & 15];
		}
	}
	out[len] = '\0';
}

static bool rpc_status_is_hex(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return true;
}

/* 00-<32 hex>-<16 hex>-<2 hex> */
bool rpc_traceparent_is_valid(struct str text)
{
	static const size_t lengths[] = { 2, 32, 16, 2 };

	if (!str_starts_with(text, STR("00-")))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct str part = str_cut(&text, '-');

		if (part.len != lengths[i] || !rpc_status_is_hex(part))
			return false;
	}
	return !text.ptr;
}
