#include "im/stored/mentions.h"

#include <string.h>

size_t mentions_split(char *text, char *out[MENTIONS_MAX])
{
	size_t count = 0;

	while (text && *text && count < MENTIONS_MAX) {
		out[count++] = text;
		text = strchr(text, ',');
		if (text)
			*text++ = '\0';
	}
	return count;
}
