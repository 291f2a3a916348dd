#include "base/text/ident.h"

#include <assert.h>

#include "base/macros.h"

#define IDENT_MAX 64
#define NAME_MAX_CHARACTERS 128

static bool ident_is_ident_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == '-';
}

bool ident_is_valid(struct str s)
{
	if (s.len < 1 || s.len > IDENT_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!ident_is_ident_char(s.ptr[i]))
			return false;
	return true;
}

bool client_msg_id_is_valid(struct str s)
{
	if (s.len < 1 || s.len > IDENT_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] <= ' ' || s.ptr[i] > '~')
			return false;
	return true;
}

bool platform_is_valid(struct str s)
{
	static const char *const platforms[] = { "ios", "android", "web", "desktop", "mini", "bot" };

	for (size_t i = 0; i < ARRAY_LEN(platforms); i++)
		if (str_equal(s, str_from(platforms[i])))
			return true;
	return false;
}

bool display_name_is_valid(struct str s)
{
	uint32_t code_point;
	size_t count = 0;

	while (s.len) {
		size_t len = utf8_first(s, &code_point);
		if (len == 0 || code_point_is_control(code_point) || ++count > NAME_MAX_CHARACTERS)
			return false;
		s = str_of(s.ptr + len, s.len - len);
	}
	return count > 0;
}

bool conversation_parse(struct str id, struct conversation *out)
{
	struct str rest = id;
	struct str letter = str_cut(&rest, ':');
	struct conversation conversation = { 0 };

	if (letter.len != 1)
		return false;
	switch (letter.ptr[0]) {
	case 'u':
		conversation.kind = CONVERSATION_DIRECT;
		conversation.first = str_cut(&rest, ':');
		conversation.second = rest;
		if (!ident_is_valid(rest) || str_compare(conversation.first, rest) > 0)
			return false;
		break;
	case 'g':
		conversation.kind = CONVERSATION_GROUP;
		conversation.first = rest;
		break;
	case 'r':
		conversation.kind = CONVERSATION_ROOM;
		conversation.first = rest;
		break;
	default:
		return false;
	}
	if (!ident_is_valid(conversation.first))
		return false;
	*out = conversation;
	return true;
}

static char *ident_put(char *at, struct str s)
{
	assert(s.len <= IDENT_MAX);
	memcpy(at, s.ptr, s.len);
	return at + s.len;
}

size_t conversation_direct(char out[CONVERSATION_ID_MAX + 1], struct str uid, struct str other)
{
	bool in_order = str_compare(uid, other) <= 0;
	char *at = ident_put(out, STR("u:"));

	at = ident_put(at, in_order ? uid : other);
	at = ident_put(at, STR(":"));
	at = ident_put(at, in_order ? other : uid);
	*at = '\0';
	return (size_t)(at - out);
}

size_t conversation_group(char out[CONVERSATION_ID_MAX + 1], struct str gid)
{
	char *at = ident_put(ident_put(out, STR("g:")), gid);

	*at = '\0';
	return (size_t)(at - out);
}

struct str conversation_peer(const struct conversation *conversation, struct str uid)
{
	return str_equal(conversation->first, uid) ? conversation->second : conversation->first;
}
