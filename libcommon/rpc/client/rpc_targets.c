#include "rpc/client/rpc_targets.h"

#include <arpa/inet.h>
#include <stdbool.h>

enum kind { KIND_NONE, KIND_IPV4, KIND_IPV6, KIND_NAME };

static const char *const schemes[] = { [KIND_IPV4] = "ipv4:", [KIND_IPV6] = "ipv6:", [KIND_NAME] = "dns:///" };

static bool rpc_targets_is_address(int family, struct str host)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	/* No NUL inside: inet_pton() would stop at it. */
	return str_copy(text, sizeof(text), host) && strlen(text) == host.len && inet_pton(family, text, &address) == 1;
}

static bool rpc_targets_is_name(struct str host)
{
	for (size_t i = 0; i < host.len; i++) {
		char c = host.ptr[i];
		bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (!is_letter && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '_')
			return false;
	}
	return host.len > 0 && host.len <= 253;
}

static enum kind rpc_targets_kind_of_host(struct str host)
{
	if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
		return rpc_targets_is_address(AF_INET6, str_of(host.ptr + 1, host.len - 2)) ? KIND_IPV6 : KIND_NONE;
	if (rpc_targets_is_address(AF_INET, host))
		return KIND_IPV4;
	return rpc_targets_is_name(host) ? KIND_NAME : KIND_NONE;
}

/* "host:port"; the port is the part after the last colon. */
static enum kind rpc_targets_kind_of_target(struct str target)
{
	uint64_t port;
	size_t colon = target.len;

	while (colon > 0 && target.ptr[colon - 1] != ':')
		colon--;
	if (colon == 0 || !str_to_u64(str_of(target.ptr + colon, target.len - colon), &port))
		return KIND_NONE;
	if (port == 0 || port > 65535)
		return KIND_NONE;
	return rpc_targets_kind_of_host(str_of(target.ptr, colon - 1));
}

err_t rpc_targets_uri(struct buf *uri, struct str targets)
{
	enum kind kind = KIND_NONE;

	while (targets.ptr) {
		struct str target = str_cut(&targets, ',');

		if (str_starts_with(target, STR("dns:")))
			target = str_of(target.ptr + 4, target.len - 4);
		enum kind this_kind = rpc_targets_kind_of_target(target);
		bool is_first = kind == KIND_NONE;

		if (this_kind == KIND_NONE || (!is_first && (this_kind != kind || kind == KIND_NAME)))
			return ERR_BAD_CONFIG;
		buf_append_text(uri, is_first ? schemes[this_kind] : ",");
		buf_append_str(uri, target);
		kind = this_kind;
	}
	return kind == KIND_NONE ? ERR_BAD_CONFIG : OK;
}
