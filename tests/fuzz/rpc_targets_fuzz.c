#include "rpc/client/rpc_targets.h"

#include "tests/fuzz/fuzz.h"

/* A gRPC target has the configured addresses only, and a list has addresses of one kind. */

static struct str without_dns(struct str target)
{
	return str_starts_with(target, STR("dns:")) ? str_of(target.ptr + 4, target.len - 4) : target;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str targets = str_of(bytes, len);
	struct buf uri = { 0 };

	if (rpc_targets_uri(&uri, targets) == OK) {
		struct str rest = buf_str(&uri);
		struct str scheme = str_cut(&rest, ':');
		bool is_name = str_equal(scheme, STR("dns"));

		CHECK(is_name || str_equal(scheme, STR("ipv4")) || str_equal(scheme, STR("ipv6")));
		if (is_name) {
			CHECK(str_starts_with(rest, STR("///")) && !memchr(rest.ptr, ',', rest.len));
			rest = str_of(rest.ptr + 3, rest.len - 3);
		}
		for (size_t i = 0; i < rest.len; i++)
			CHECK(rest.ptr[i] > ' ' && rest.ptr[i] <= '~');
		while (targets.ptr) {
			struct str target = str_cut(&rest, ',');

			CHECK(str_equal(target, without_dns(str_cut(&targets, ','))));
			CHECK((target.ptr[0] == '[') == str_equal(scheme, STR("ipv6")));
		}
		CHECK(!rest.ptr);
	}
	buf_release(&uri);
	return 0;
}
