#ifndef SKEIN_IM_DB_SCHEMA_H
#define SKEIN_IM_DB_SCHEMA_H

#include <stddef.h>

/* The files of deploy/schema, compiled in by mk/schema.mk. */

/* tables/NNN_name.sql, in the order of their numbers. Each is applied once, and recorded in the table schema_migration. */
struct migration {
	int version;
	int compatible_from; /* an im that knows the tables up to this version may run on a database that has this one */
	const char *name; /* "001_accounts" */
	const char *sql;
};

extern const struct migration migrations[];
extern const size_t migration_count;

/* functions/NN_name.sql, joined: they make the PostgreSQL schema `fn` with everything in it. */
extern const char schema_functions[];

/*
 * SHA-256 of schema_functions, in hex. The table schema_functions records which functions the database has, in its last row. The
 * rows before it are of the functions that they replaced.
 */
#define SCHEMA_HASH_LEN 64
extern const char schema_functions_hash[SCHEMA_HASH_LEN + 1];

#endif
