# deps, check, the lanes, demo and install. Included by the Makefile.

# --- Debian packages -----------------------------------------------------------------------------------
deps: ## install the Debian packages that are missing (sudo only when not root)
	@packaging/deps $(DEPS_BUILD) $(DEPS_TEST) $(DEPS_DEMO)

deps-lint: ## the same for `make lint`
	@packaging/deps $(DEPS_LINT)

PROVE_JOBS ?= -j2

# --- tests -----------------------------------------------------------------------------------------------
E2E := $(wildcard tests/e2e/*.t)

check: all tests ## unit, scenario, thread and e2e tests, layers and banned calls
	@BUILD_OUT=$(abspath $(OUT)) prove --failures --timer -e '' $(PROVE_JOBS) tests/layers.t $(TESTS:%=%.t) $(E2E)

# prove runs what it is given: cmocka speaks TAP when asked, but for skipped tests ("not ok"). What a program logs is shown when it failed.
$(TESTS:%=%.t): %.t: % packaging/tap
	@printf '#!/bin/sh\nexec %s %s\n' '$(abspath packaging/tap)' '$(abspath $<)' > $@ && chmod +x $@
check: $(TESTS:%=%.t)

check-unit: tests $(TESTS:%=%.t) ## the tests without the e2e ones
	@BUILD_OUT=$(abspath $(OUT)) prove --failures --timer $(PROVE_JOBS) -e '' $(TESTS:%=%.t)

layers: ## only lower rooms are included, third-party headers stay in their rooms
	@prove -e '' tests/layers.t

asan: ## unit, scenario and thread tests under AddressSanitizer and UndefinedBehaviourSanitizer
	@$(MAKE) --no-print-directory FLAVOUR=asan WERROR=-Werror check-unit

tsan: ## the same under ThreadSanitizer
	@$(MAKE) --no-print-directory FLAVOUR=tsan WERROR=-Werror check-unit

lint: ## clang-format, clang-tidy, cppcheck
	@packaging/lint

# --- demo --------------------------------------------------------------------------------------------------
demo: all ## the whole road on a local tenant with real pictures; ASSETS=DIR takes yours, DEMO_ONCE=1 ends by itself
	@BUILD=$(BUILD) tests/demo/run

demo-clean: ## forget the demo's tenant and assets
	rm -rf $(BUILD)/demo

# --- install -------------------------------------------------------------------------------------------------
install: all ## DESTDIR= PREFIX=/usr SYSCONFDIR=/etc UNITDIR=/lib/systemd/system
	install -D -m 0755 $(OUT)/brandsync $(DESTDIR)$(PREFIX)/bin/brandsync
	install -D -m 0755 $(OUT)/brandsyncd $(DESTDIR)$(PREFIX)/sbin/brandsyncd
	install -D -m 0755 $(OUT)/brandsync-portal $(DESTDIR)$(PREFIX)/bin/brandsync-portal
	install -D -m 0644 etc/brandsync.yaml $(DESTDIR)$(PREFIX)/share/doc/brandsync/examples/brandsync.yaml
	install -d -m 0750 $(DESTDIR)$(SYSCONFDIR)/brandsync
	install -d $(DESTDIR)$(UNITDIR)
	sed -e 's|@BINDIR@|$(PREFIX)/bin|' -e 's|@SBINDIR@|$(PREFIX)/sbin|' packaging/brandsyncd@.service.in \
	    > $(DESTDIR)$(UNITDIR)/brandsyncd@.service
	chmod 0644 $(DESTDIR)$(UNITDIR)/brandsyncd@.service
	install -D -m 0644 packaging/brandsync.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/brandsync.conf

clean: ## remove what was built
	rm -rf $(BUILD)

.PHONY: deps deps-lint check check-unit layers asan tsan lint demo demo-clean install clean
