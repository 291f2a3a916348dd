#ifndef SKEIN_IM_DB_MIGRATIONS_H
#define SKEIN_IM_DB_MIGRATIONS_H

#include <stddef.h>

/* deploy/migrations/NNN_name.sql, compiled in by mk/migrations.mk in the order of their numbers. */
struct migration {
	int version;
	const char *name; /* "001_base" */
	const char *sql;
};

extern const struct migration migrations[];
extern const size_t migration_count;

#endif
