# Skein's build. `make help` lists what a user calls; the parts live in mk/.
#
#   BUILD=release|debug|asan|tsan|sabotage   which flavour (release goes to build/bin, the others to build/BUILD/bin)
#   OUT=DIR                                  where objects, generated code and binaries go
#   CC=clang                                 any compiler that takes gcc's flags

BUILD ?= release
OUT ?= build/$(BUILD)
BIN ?= $(if $(filter build/release,$(OUT)),build/bin,$(OUT)/bin)

.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules --no-print-directory
# For a make that starts another: as many jobs as cores, unless the caller said how many.
JOBS = $(if $(filter -j% --jobs%,$(MAKEFLAGS)),,-j$(shell nproc))
SHELL := /bin/bash

include mk/flags.mk
include mk/layers.mk
include mk/build.mk
include $(filter-out mk/flags.mk mk/layers.mk mk/build.mk,$(sort $(wildcard mk/*.mk)))

.PHONY: help
help: ## list these targets
	@grep -hE '^[a-z0-9-]+:.*## ' Makefile mk/*.mk | sed -E 's/:.*## /\t/' | sort | expand -t 18
