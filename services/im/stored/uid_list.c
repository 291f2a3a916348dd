#include "im/stored/uid_list.h"

#include <string.h>

size_t uid_list_count(struct str list)
{
	size_t count = list.len > 0;

	for (size_t i = 0; i < list.len; i++)
		count += list.ptr[i] == ',';
	return count;
}

size_t uid_list_split(char *list, char **out)
{
	size_t count = 0;

	while (list && *list) {
		out[count++] = list;
		list = strchr(list, ',');
		if (list)
			*list++ = '\0';
	}
	return count;
}
