# What is compiled into what. Each layer of libcommon, the generated protocol code and each service (without its
# main.c) becomes an archive; a binary links its main.c with the archives it may use.

# One word a step; V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V)$(findstring s,$(firstword -$(MAKEFLAGS))),,@echo "  $(1)  $(2)")

PROTOS := $(wildcard proto/*.proto)
GEN_C := $(PROTOS:%.proto=$(OUT)/gen/%.pb-c.c)
GEN_H := $(GEN_C:.c=.h)

objects = $(patsubst %.c,$(OUT)/obj/%.o,$(1))
layer_sources = $(wildcard libcommon/$(1)/*.c libcommon/$(1)/*/*.c)
service_sources = $(filter-out %/main.c,$(wildcard services/$(1)/*.c services/$(1)/*/*.c))

PROTO_LIB := $(OUT)/lib/libproto.a
LAYER_LIBS := $(foreach l,$(LAYERS),$(OUT)/lib/lib$(l).a)
# The linker reads archives once, left to right: users before what they use.
reversed = $(if $(1),$(call reversed,$(wordlist 2,$(words $(1)),$(1))) $(firstword $(1)))
COMMON_LIBS := $(foreach l,$(call reversed,$(LAYERS)),$(OUT)/lib/lib$(l).a) $(PROTO_LIB)

BINARIES := $(SERVICES:%=$(BIN)/%) $(BIN)/skeinctl

.PHONY: all clean
all: $(BINARIES) ## build the services and skeinctl

clean: ## remove what was built
	rm -rf build

$(OUT)/gen/proto/%.pb-c.c $(OUT)/gen/proto/%.pb-c.h &: proto/%.proto
	@mkdir -p $(OUT)/gen
	$(Q)protoc-c --proto_path=. --c_out=$(OUT)/gen $<

# All of proto/ described, compiled in for gRPC reflection (rpc/server/descriptor_set.h).
$(OUT)/gen/proto/descriptor_set.c: $(PROTOS)
	@mkdir -p $(@D)
	$(Q)protoc --proto_path=. --include_imports --descriptor_set_out=$(@:.c=.bin) $^
	@{ echo '#include "rpc/server/descriptor_set.h"'; echo 'const unsigned char proto_descriptor_set[] = {'; \
	   od -An -v -tu1 -w32 $(@:.c=.bin) | sed 's/ *\([0-9]\+\)/\1,/g'; echo '};'; \
	   echo 'const size_t proto_descriptor_set_len = sizeof(proto_descriptor_set);'; } > $@

# Every compilation may include generated headers: they come first, once.
$(OUT)/obj/%.o: %.c $(OUT)/flags | $(GEN_H) $(INCLUDE_VIEWS)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(call includes_of,$<) $(CPPFLAGS) $(CFLAGS_ALL) $(CFLAGS) -MMD -MP -c $< -o $@

# Generated code is not ours to keep free of warnings.
$(OUT)/obj/gen/%.o: $(OUT)/gen/%.c $(OUT)/flags | $(GEN_H)
	@mkdir -p $(@D)
	$(Q)$(CC) $(INCLUDE_ALL) $(CPPFLAGS) $(CFLAGS_ALL) -Wno-error -w $(CFLAGS) -MMD -MP -c $< -o $@

# Rebuild everything when the compiler or its flags change.
$(OUT)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(INCLUDE_ALL) $(CPPFLAGS) $(CFLAGS_ALL) $(CFLAGS)' | cmp -s - $@ || echo '$(CC) $(INCLUDE_ALL) $(CPPFLAGS) $(CFLAGS_ALL) $(CFLAGS)' > $@
FORCE:

define archive
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)
endef

$(PROTO_LIB): $(patsubst $(OUT)/gen/%.c,$(OUT)/obj/gen/%.o,$(GEN_C) $(OUT)/gen/proto/descriptor_set.c)
	$(archive)

define layer_rule
$(OUT)/lib/lib$(1).a: $(call objects,$(call layer_sources,$(1)))
	$$(archive)
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rule,$(l))))

define service_rule
$(OUT)/lib/lib$(1).a: $(call objects,$(call service_sources,$(1)))
	$$(archive)
$(BIN)/$(1): $(OUT)/obj/services/$(1)/main.o $(OUT)/lib/lib$(1).a $(COMMON_LIBS)
	$$(link)
endef

define link
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)
endef
$(foreach s,$(SERVICES),$(eval $(call service_rule,$(s))))

# What every program of BUILD=tsan has inside (tests/tsan_threads.c); each waits for PROTO_LIB.
ifeq ($(BUILD),tsan)
LIBS := $(OUT)/obj/tests/tsan_threads.o $(LIBS)
$(PROTO_LIB): | $(OUT)/obj/tests/tsan_threads.o
endif

# The client library: libclient.a for its own tests; libskeinclient.a for applications, one object with what it needs of
# base inside, which exports skein_* only.
CLIENT_LIB := $(OUT)/lib/libskeinclient.a

$(OUT)/lib/libclient.a: $(call objects,$(wildcard libclient/*.c libclient/*/*.c))
	$(archive)

$(CLIENT_LIB): $(OUT)/lib/libclient.a $(OUT)/lib/libbase.a
	$(Q)$(LD) -r -o $(@:.a=.o) --whole-archive $< --no-whole-archive $(filter %/libbase.a,$^)
	$(Q)$(OBJCOPY) --wildcard --keep-global-symbol='skein_*' $(@:.a=.o)
	@rm -f $@
	$(Q)$(AR) rcs $@ $(@:.a=.o)

# The same as a shared library. Its objects are compiled apart, with -fPIC, so that those of the services stay as they are.
# CLIENT_ABI goes up with a change after which programs must be linked anew; libclient/exports.map has it, too.
CLIENT_ABI := 0
CLIENT_SHARED := $(OUT)/lib/libskeinclient.so.$(CLIENT_ABI)
CLIENT_LIBS := -lcurl -ljansson -luv -lcrypto -lpthread
pic_objects = $(patsubst %.c,$(OUT)/pic/%.o,$(1))

$(OUT)/pic/%.o: %.c $(OUT)/flags | $(INCLUDE_VIEWS)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(call includes_of,$<) $(CPPFLAGS) $(CFLAGS_ALL) -fPIC $(CFLAGS) -MMD -MP -c $< -o $@

$(OUT)/pic/libbase.a: $(call pic_objects,$(filter-out libcommon/base/version.c,$(call layer_sources,base)))
	$(archive)

$(CLIENT_SHARED): $(call pic_objects,$(wildcard libclient/*.c libclient/*/*.c)) $(OUT)/pic/libbase.a libclient/exports.map
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) -shared $(filter-out -pie,$(LDFLAGS_ALL)) $(LDFLAGS) -Wl,-soname,$(@F) -Wl,-z,defs \
		-Wl,--version-script=libclient/exports.map -o $@ $(filter %.o %.a,$^) $(CLIENT_LIBS)

$(BIN)/skeinctl: $(call objects,$(wildcard tools/skeinctl/*.c tools/skeinctl/*/*.c)) $(CLIENT_LIB) $(COMMON_LIBS)
	$(link)

# The version is compiled into one object only, and again when it changes.
$(OUT)/obj/libcommon/base/version.o: private CPPFLAGS += -DSKEIN_VERSION='"$(VERSION)"'
$(OUT)/obj/libcommon/base/version.o: $(OUT)/version
$(OUT)/version: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' > $@

-include $(shell find $(OUT)/obj $(OUT)/pic -name '*.d' 2>/dev/null)
.SECONDARY: $(GEN_C) $(GEN_H)
