# deploy/migrations/NNN_name.sql become part of im, so that a binary knows its schema. The folder's own time changes
# when a file comes or goes.

MIGRATIONS := $(sort $(wildcard deploy/migrations/[0-9][0-9][0-9]_*.sql))

$(OUT)/gen/im/db/migrations.c: $(MIGRATIONS) deploy/migrations mk/migrations.mk
	@mkdir -p $(@D)
	@{ echo '#include "im/db/migrations.h"'; \
	   echo 'const struct migration migrations[] = {'; \
	   for file in $(MIGRATIONS); do \
	     name=$$(basename $$file .sql); \
	     echo "{ $$((10#$${name%%_*})), \"$$name\","; \
	     sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$$/\\n"/' $$file; \
	     echo '},'; \
	   done; \
	   echo '};'; \
	   echo 'const size_t migration_count = sizeof(migrations) / sizeof(migrations[0]);'; } > $@

$(OUT)/lib/libim.a: $(OUT)/obj/gen/im/db/migrations.o
