#include "base/text/ident.h"

#include "base/mem.h"
#include "tests/fuzz/fuzz.h"

/* Identifiers and conversation ids: valid ones have allowed bytes only, and are written again as they came. */

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define IDENT_CHARACTERS LETTERS "0123456789_.-"

static bool is_made_of(struct str s, const char *characters)
{
	for (size_t i = 0; i < s.len; i++)
		if (!s.ptr[i] || !strchr(characters, s.ptr[i]))
			return false;
	return true;
}

static void check_conversation(struct str id, const struct conversation *conversation)
{
	char written[CONVERSATION_ID_MAX + 1];
	size_t len;

	CHECK(id.len <= CONVERSATION_ID_MAX);
	CHECK(ident_is_valid(conversation->first));
	CHECK(fuzz_is_inside(conversation->first, id) && fuzz_is_inside(conversation->second, id));
	switch (conversation->kind) {
	case CONVERSATION_DIRECT:
		CHECK(ident_is_valid(conversation->second));
		CHECK(str_equal(conversation_peer(conversation, conversation->first), conversation->second));
		CHECK(str_equal(conversation_peer(conversation, conversation->second), conversation->first));
		len = conversation_direct(written, conversation->second, conversation->first);
		break;
	case CONVERSATION_GROUP:
		CHECK(!conversation->second.len);
		len = conversation_group(written, conversation->first);
		break;
	case CONVERSATION_ROOM:
		CHECK(!conversation->second.len && id.ptr[0] == 'r');
		return;
	default:
		CHECK(!"a kind there is");
	}
	CHECK(written[len] == '\0' && str_equal(str_of(written, len), id));
}

static bool is_display_name(struct str s)
{
	uint32_t code_point;

	if (!utf8_is_valid(s) || utf8_length(s) < 1 || utf8_length(s) > 128)
		return false;
	while (s.len) {
		size_t len = utf8_first(s, &code_point);
		if (code_point_is_control(code_point))
			return false;
		s = str_of(s.ptr + len, s.len - len);
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str id = str_of(bytes, len);
	struct conversation conversation;
	bool is_ident = len >= 1 && len <= 64 && is_made_of(id, IDENT_CHARACTERS);

	CHECK(ident_is_valid(id) == is_ident);
	CHECK(!is_ident || client_msg_id_is_valid(id));
	CHECK(!platform_is_valid(id) || is_ident);
	CHECK(display_name_is_valid(id) == is_display_name(id));
	if (conversation_parse(id, &conversation))
		check_conversation(id, &conversation);
	return 0;
}
