#ifndef SKEIN_BASE_MACROS_H
#define SKEIN_BASE_MACROS_H

#include <stddef.h>
#include <sys/param.h> /* MIN, MAX */

/* The struct that embeds `member`, from a pointer to that member. */
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

#define IS_POWER_OF_TWO(n) ((n) != 0 && ((n) & ((n) - 1)) == 0)

/* The result may be an error and must be checked. */
#define MUST_CHECK __attribute__((warn_unused_result))

#define PRINTF_LIKE(format_at, first_at) __attribute__((format(printf, format_at, first_at)))

#endif
