# deploy/schema becomes part of im, so that a binary knows its schema: the tables as migrations by number, the functions as
# one text with its hash. The first line of a migration may say `-- compatible from NNN`, else only an im that knows it may run
# on it. A folder's own time changes when a file comes or goes.

SCHEMA_TABLES := $(sort $(wildcard deploy/schema/tables/[0-9][0-9][0-9]_*.sql))
SCHEMA_FUNCTIONS := $(sort $(wildcard deploy/schema/functions/*.sql))
QUOTE_SQL := sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$$/\\n"/'

$(OUT)/gen/im/db/schema.c: $(SCHEMA_TABLES) $(SCHEMA_FUNCTIONS) deploy/schema/tables deploy/schema/functions mk/schema.mk
	@mkdir -p $(@D)
	@{ echo '#include "im/db/schema.h"'; \
	   echo 'const struct migration migrations[] = {'; \
	   for file in $(SCHEMA_TABLES); do \
	     name=$$(basename $$file .sql); \
	     from=$$(sed -nE '1s/^-- compatible from ([0-9]{3})$$/\1/p' $$file); \
	     echo "{ $$((10#$${name%%_*})), $$((10#$${from:-$${name%%_*}})), \"$$name\","; \
	     $(QUOTE_SQL) $$file; \
	     echo '},'; \
	   done; \
	   echo '};'; \
	   echo 'const size_t migration_count = sizeof(migrations) / sizeof(migrations[0]);'; \
	   echo 'const char schema_functions[] ='; \
	   cat $(SCHEMA_FUNCTIONS) | $(QUOTE_SQL); \
	   echo ';'; \
	   echo "const char schema_functions_hash[SCHEMA_HASH_LEN + 1] = \"$$(cat $(SCHEMA_FUNCTIONS) | sha256sum | cut -c1-64)\";"; } > $@

$(OUT)/lib/libim.a: $(OUT)/obj/gen/im/db/schema.o
