# Fuzzing: tests/fuzz/NAME_fuzz.c is one target. It starts from its seeds, which seeds.py writes to build/fuzz-seeds/NAME/,
# and from tests/fuzz/corpus/NAME/, the inputs that once failed (tests/fuzz/README.md).
# In BUILD=fuzz libFuzzer drives it; in any other flavour replay.c runs it over both folders.

FUZZ_BINARIES := $(patsubst %.c,$(OUT)/%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_DRIVER := $(call objects,tests/fuzz/fuzz.c $(if $(filter fuzz,$(BUILD)),,tests/fuzz/replay.c))
FUZZ_LDFLAGS := $(if $(filter fuzz,$(BUILD)),-fsanitize=fuzzer)

# Those that look into services: SERVICES, and the functions of libcommon whose place the target takes.
define fuzz_of_service
$(OUT)/tests/fuzz/$(1)_fuzz: $(foreach s,$(2),$(OUT)/lib/lib$(s).a)
$(OUT)/tests/fuzz/$(1)_fuzz: private WRAPPED := $(3)
endef
STREAM_FUNCTIONS := rpc_stream_ref rpc_stream_unref rpc_stream_send rpc_stream_end rpc_stream_keep_bytes rpc_stream_give_back_bytes
$(eval $(call fuzz_of_service,client_frame,gateway))
$(eval $(call fuzz_of_service,message_frame,gateway))
$(eval $(call fuzz_of_service,deliver_batch,gateway,$(STREAM_FUNCTIONS)))
$(eval $(call fuzz_of_service,send_request,im gateway))
$(eval $(call fuzz_of_service,traceparent,im))
$(eval $(call fuzz_of_service,sync_request,im))
$(eval $(call fuzz_of_service,route_changes,router,$(STREAM_FUNCTIONS) route_bind route_close route_renew gateway_calls_kick))
$(eval $(call fuzz_of_service,ws_client,client))
$(eval $(call fuzz_of_service,server_answer,client))
$(eval $(call fuzz_of_service,event_record,push))
$(eval $(call fuzz_of_service,message_record,push,kafka_consumer_new kafka_store_offset kafka_record_free conversations_take conversations_load dead_letters_new dead_letters_park dead_letters_is_full))

$(OUT)/tests/fuzz/%_fuzz: $(OUT)/obj/tests/fuzz/%_fuzz.o $(FUZZ_DRIVER) $(COMMON_LIBS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(LDFLAGS) $(FUZZ_LDFLAGS) $(WRAPPED:%=-Wl,--wrap=%) -o $@ $(filter %.o,$^) \
		$(filter-out $(COMMON_LIBS),$(filter %.a,$^)) $(COMMON_LIBS) $(LIBS)

FUZZ_SEEDS := build/fuzz-seeds
$(FUZZ_SEEDS)/made: $(wildcard tests/fuzz/seeds*.py)
	@PYTHONDONTWRITEBYTECODE=1 tests/fuzz/seeds.py $(@D)
	@touch $@

.PHONY: fuzz fuzz-targets
fuzz-targets: $(FUZZ_BINARIES) $(FUZZ_SEEDS)/made

# An OUT given on the command line goes along by itself.
fuzz: private FUZZ_OUT := $(if $(filter command,$(origin OUT)),$(OUT),build/fuzz)
fuzz: ## feed the parsers mutated input: TARGET=json (all by default) SECONDS=20 (for each)
	@$(MAKE) BUILD=fuzz OUT=$(FUZZ_OUT) $(if $(TARGET),$(TARGET:%=$(FUZZ_OUT)/tests/fuzz/%_fuzz) $(FUZZ_SEEDS)/made,fuzz-targets)
	@OUT=$(FUZZ_OUT) tests/fuzz/run '$(or $(SECONDS),20)' $(TARGET)
