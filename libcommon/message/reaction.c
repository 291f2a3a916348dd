#include "message/reaction.h"

#include "base/text/json.h"
#include "base/text/utf8.h"

static struct str reaction_member(const json_t *body, const char *name)
{
	const json_t *value = json_object_get(body, name);

	return json_is_string(value) ? str_of(json_string_value(value), json_string_length(value)) : STR("");
}

struct str reaction_split(struct reaction *reaction, struct str type, struct str body)
{
	reaction->op = "";
	reaction->emoji[0] = '\0';
	if (!str_equal(type, STR("reaction")))
		return body;
	json_t *parsed = json_loadb(body.ptr, body.len, 0, NULL);
	reaction->op = str_equal(reaction_member(parsed, "op"), STR("add")) ? "add" : "remove";
	(void)str_copy(reaction->emoji, sizeof(reaction->emoji), reaction_member(parsed, "emoji"));
	json_decref(parsed);
	return STR("");
}

/* Blanks, joiners, directions and variation selectors: an emoji of nothing else shows nothing. */
static bool reaction_is_invisible(uint32_t code_point)
{
	return code_point == ' ' || code_point == 0xa0 || code_point == 0x1680 || (code_point >= 0x2000 && code_point <= 0x200f) ||
	       code_point == 0x202f || (code_point >= 0x205f && code_point <= 0x2064) || code_point == 0x3000 ||
	       (code_point >= 0xfe00 && code_point <= 0xfe0f) || code_point == 0xfeff;
}

bool reaction_emoji_is_valid(struct str emoji, size_t max)
{
	bool is_visible = false;
	uint32_t code_point;

	if (emoji.len > max)
		return false;
	while (emoji.len) {
		size_t len = utf8_first(emoji, &code_point);
		if (len == 0 || code_point_is_control(code_point))
			return false;
		is_visible |= !reaction_is_invisible(code_point);
		emoji = str_of(emoji.ptr + len, emoji.len - len);
	}
	return is_visible;
}
