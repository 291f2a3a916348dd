# Compilers and flags, by BUILD.

ifeq ($(origin CC),default)
CC := $(if $(filter fuzz,$(BUILD)),clang,gcc)
endif
AR := ar
LD := ld
OBJCOPY := objcopy

PACKAGES := libuv libwebsockets libmicrohttpd rdkafka hiredis libpq libprotobuf-c jansson openssl libcurl

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Werror
CPPFLAGS := -D_GNU_SOURCE $(addprefix -isystem ,$(shell pkg-config --cflags-only-I $(PACKAGES) 2>/dev/null | sed 's/-I//g'))
CFLAGS_ALL := -std=gnu11 -g -fno-omit-frame-pointer -fPIE $(WARNINGS)
LDFLAGS_ALL := -pie -pthread
LIBS := -lwebsockets -lmicrohttpd -lrdkafka -lhiredis -lpq -lprotobuf-c -lgrpc -lgpr -ljansson -luv -lssl -lcrypto -lcurl -lm -lpthread

ifeq ($(BUILD),release)
CFLAGS_ALL += -O2 -fstack-protector-strong
CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
LDFLAGS_ALL += -Wl,-z,relro,-z,now
else ifeq ($(BUILD),debug)
CFLAGS_ALL += -Og
else ifeq ($(BUILD),asan)
CFLAGS_ALL += -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
LDFLAGS_ALL += -fsanitize=address,undefined
else ifeq ($(BUILD),tsan)
CFLAGS_ALL += -O1 -fsanitize=thread
LDFLAGS_ALL += -fsanitize=thread
else ifeq ($(BUILD),fuzz)
CFLAGS_ALL += -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LDFLAGS_ALL += -fsanitize=address,undefined
else ifeq ($(BUILD),coverage)
CFLAGS_ALL += -O0 --coverage -fprofile-update=atomic
LDFLAGS_ALL += --coverage
else ifeq ($(BUILD),sabotage)
CFLAGS_ALL += -O2
CPPFLAGS += -DSKEIN_SABOTAGE
else
$(error BUILD=$(BUILD): one of release, debug, asan, tsan, fuzz, coverage, sabotage)
endif

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
