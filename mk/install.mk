# Installing Skein on a host, and its Debian packages (deploy/install/, deploy/debian/). The folders are those of GNU's
# conventions in capital letters; DESTDIR goes before each.

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
DOCDIR ?= $(DATADIR)/doc/skein
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
COMPLETIONSDIR ?= $(DATADIR)/bash-completion/completions
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d

# The date of the sources, so that the same sources make the same files.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || date +%s)
date_of_sources = $(shell date -u -d @$(SOURCE_DATE_EPOCH) +$(1))
PACKAGE_VERSION ?= $(shell mk/package-version '$(VERSION)' $(call date_of_sources,%Y%m%d))

INSTALL_FILES = BIN='$(BIN)' LIB='$(OUT)/lib' MADE='$(OUT)/man' CLIENT_ABI='$(CLIENT_ABI)' PACKAGE_VERSION='$(PACKAGE_VERSION)' \
	DESTDIR='$(DESTDIR)' BINDIR='$(BINDIR)' SBINDIR='$(SBINDIR)' LIBDIR='$(LIBDIR)' INCLUDEDIR='$(INCLUDEDIR)' \
	SYSCONFDIR='$(SYSCONFDIR)' MANDIR='$(MANDIR)' DOCDIR='$(DOCDIR)' PKGCONFIGDIR='$(PKGCONFIGDIR)' UNITDIR='$(UNITDIR)' \
	SYSUSERSDIR='$(SYSUSERSDIR)' COMPLETIONSDIR='$(COMPLETIONSDIR)' deploy/install/install-files

MAN_PAGES := $(SERVICES:%=$(OUT)/man/skein-%.8) $(OUT)/man/skeinctl.1
define man_page
	@mkdir -p $(@D)
	@deploy/install/man-page $(basename $(@F)) $< '$(VERSION)' $(call date_of_sources,%Y-%m-%d) >$@.new && mv $@.new $@
endef

$(OUT)/man/skein-%.8: $(BIN)/% deploy/install/man-page
	$(man_page)

$(OUT)/man/skeinctl.1: $(BIN)/skeinctl deploy/install/man-page
	$(man_page)

$(OUT)/man/skeinctl.bash: $(BIN)/skeinctl
	@mkdir -p $(@D)
	@$< completion bash >$@.new && mv $@.new $@

.PHONY: installable install uninstall list-installed deb test-packages
installable: $(BINARIES) $(CLIENT_LIB) $(CLIENT_SHARED) $(MAN_PAGES) $(OUT)/man/skeinctl.bash

install: installable ## install: PREFIX=/usr/local DESTDIR= BINDIR= SBINDIR= LIBDIR= SYSCONFDIR= ... (mk/install.mk)
	@$(INSTALL_FILES) install

uninstall: ## remove what install has installed, with the same PREFIX= and the others
	@$(INSTALL_FILES) uninstall

list-installed: ## print the path of each file that install installs
	@$(INSTALL_FILES) list

deb: ## build the Debian packages into build/deb/
	@$(MAKE) deps DEPS="$(or $(DEPS),build packages)"
	@deploy/debian/build '$(VERSION)' '$(PACKAGE_VERSION)' $(SOURCE_DATE_EPOCH)

test-packages: ## build the packages, install them in a system of their own, and run them: needs root
	@$(MAKE) deps DEPS="$(or $(DEPS),build run test containers packages)"
	@$(MAKE) $(JOBS) installable
	@/usr/bin/python3 -m pytest -q -rs -p no:cacheprovider tests/packages
