# The parts of the tree, and which of them a part may include.

LAYERS := base loop net store service rpc message cluster deliver
SERVICES := gateway im router push

# What a part may include, besides itself. The compiler enforces it: a part is compiled with build/include/PART as its only
# include path of ours, a folder of links to the parts named here. Tests and tools see everything.
may_include_base :=
may_include_loop := base
may_include_net := base loop
may_include_service := base loop net store
may_include_store := base loop
may_include_rpc := base loop
may_include_message := base proto
may_include_cluster := base loop store message proto
may_include_deliver := base loop store rpc message cluster proto
may_include_gateway := base loop net service rpc message cluster proto
may_include_im := base loop net service store rpc message cluster proto
may_include_router := base loop net service store rpc message cluster proto
may_include_push := base loop net service store rpc message cluster deliver proto
may_include_libclient := base

INCLUDE_DIR := build/include
INCLUDE_VIEWS := $(INCLUDE_DIR)/made
PARTS := $(LAYERS) $(SERVICES)

INCLUDE_ALL := -Ilibcommon -Iservices -I. -I$(OUT)/gen

part_of = $(if $(filter libcommon/% services/%,$(1)),$(word 2,$(subst /, ,$(1))),$(firstword $(subst /, ,$(1))))
sees_proto = $(if $(filter proto,$(may_include_$(1))),-I$(OUT)/gen)
view_of = -I$(INCLUDE_DIR)/$(1) $(call sees_proto,$(1))
includes_of = $(if $(filter libcommon/% services/% libclient/%,$(1)),$(call view_of,$(call part_of,$(1))),$(INCLUDE_ALL))

folder_of = $(firstword $(wildcard libcommon/$(1) services/$(1) $(1)))

$(INCLUDE_VIEWS): mk/layers.mk
	@rm -rf $(@D) && mkdir -p $(@D)
	@$(foreach p,$(PARTS) libclient,mkdir -p $(@D)/$(p) && $(foreach i,$(filter-out proto,$(p) $(may_include_$(p))),ln -s $(abspath $(call folder_of,$(i))) $(@D)/$(p)/$(i) && ) true && ) touch $@
