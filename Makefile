# MoonX Gateway. `make help` lists the targets.
# Everything that is built lies in build/; VARIANT chooses the flavour:
#   release (default)   asan: address and undefined-behaviour sanitizers   tsan: thread sanitizer
#   fuzz: clang with libFuzzer's instrumentation

VARIANT ?= release
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
PREFIX  ?= /usr/local
WERROR  ?=
CC      ?= cc
ifeq ($(origin CC),default)
CC := cc
endif

OUT := build/$(VARIANT)

# `make V=1` shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1)	$(2)')

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wvla -Wwrite-strings -Wimplicit-fallthrough $(if $(WERROR),-Werror)
CPPFLAGS := -D_GNU_SOURCE -I. -isystem /usr/share/include
CFLAGS   := -std=c11 -g -O2 -fno-omit-frame-pointer -fstack-protector-strong -fPIE $(WARNINGS)
LDFLAGS  := -pie -Wl,-z,relro,-z,now
LDLIBS   := -lrdkafka -levent_openssl -levent -lhiredis -lwslay -lcjson -luring -lssl -lcrypto -lz -lpthread -lm

ifeq ($(VARIANT),release)
CPPFLAGS += -D_FORTIFY_SOURCE=2
else ifeq ($(VARIANT),asan)
CFLAGS  += -fsanitize=address,undefined -fno-sanitize-recover=undefined -O1
LDFLAGS += -fsanitize=address,undefined
else ifeq ($(VARIANT),fuzz)
CFLAGS  += -fsanitize=address,undefined,fuzzer-no-link -O1 -Wno-unknown-warning-option
LDFLAGS += -fsanitize=address,undefined
else ifeq ($(VARIANT),tsan)
CPPFLAGS += -DORDER_CHECKED
CFLAGS  += -fsanitize=thread -O1
LDFLAGS += -fsanitize=thread
endif

# Sources by folder; the three files with a main() are programs, all else goes into one archive.
MAINS    := gateway/supervisor/main.c ingest/main.c gateway/client/main.c
SOURCES  := $(filter-out $(MAINS) gateway/docs/tables.c,$(wildcard common/*.c shm/*.c ingest/*.c gateway/*.c gateway/*/*.c))
LLHTTP   := $(wildcard /usr/share/llhttp/*.c)
OBJECTS  := $(SOURCES:%.c=$(OUT)/obj/%.o) $(LLHTTP:/usr/share/llhttp/%.c=$(OUT)/obj/llhttp/%.o)
ARCHIVE  := $(OUT)/libmoonx.a
# What browsers get, as one object; not in the archive, since its documentation is made by a program that uses that.
BROWSER  := $(OUT)/obj/console_assets.o
PROGRAMS := moonx-gateway moonx-ingest moonx-client

UNIT_TESTS := $(patsubst tests/unit/%.c,$(OUT)/unit/%,$(wildcard tests/unit/test_*.c))
HELPERS    := $(patsubst tests/%.c,$(OUT)/tests/%,$(wildcard tests/torture/*.c tests/bench/*.c tests/integration/*.c)) \
              $(OUT)/tests/chaos/fill_bells $(OUT)/tests/chaos/scarce.so

.PHONY: all
all: $(PROGRAMS:%=build/%)

$(PROGRAMS:%=build/%): build/%: $(OUT)/%
	@mkdir -p build
	@ln -sf $(VARIANT)/$* $@

$(OUT)/moonx-gateway: $(OUT)/obj/gateway/supervisor/main.o $(BROWSER) $(ARCHIVE)
$(OUT)/moonx-ingest: $(OUT)/obj/ingest/main.o $(ARCHIVE)
$(OUT)/moonx-client: $(OUT)/obj/gateway/client/main.o $(ARCHIVE)
$(PROGRAMS:%=$(OUT)/%):
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(ARCHIVE): $(OBJECTS)
	@rm -f $@
	$(call say,AR,$@)
	$(Q)ar rcs $@ $^

$(OUT)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The console becomes part of the program: its own files, and the plots from npm by its lock file.
UPLOT   := build/console/node_modules/uplot
ASSETS  := /=gateway/console/index.html \
           $(foreach file,$(filter-out %.html,$(wildcard gateway/console/*.mjs gateway/console/*.css gateway/console/*.svg)),/console/$(notdir $(file))=$(file)) \
           /docs=$(OUT)/gen/docs.html /asyncapi.json=$(OUT)/gen/asyncapi.json /openapi.json=$(OUT)/gen/openapi.json \
           /console/templates.mjs=$(OUT)/gen/templates.mjs \
           /console/uplot.mjs=$(UPLOT)/dist/uPlot.esm.js /console/uplot.css=$(UPLOT)/dist/uPlot.min.css \
           /console/uplot-licence.txt=build/console/uplot-licence.txt
UPLOT_FILES := $(UPLOT)/dist/uPlot.esm.js $(UPLOT)/dist/uPlot.min.css build/console/uplot-licence.txt

$(UPLOT_FILES) &: gateway/console/package-lock.json
	@mkdir -p build/console
	$(call say,NPM,uPlot)
	$(Q)cp gateway/console/package.json gateway/console/package-lock.json build/console/
	$(Q)cd build/console && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	$(Q)cp $(UPLOT)/LICENSE build/console/uplot-licence.txt
	$(Q)touch $(UPLOT_FILES)

# /docs and its machine-readable twins: names from the code's tables, words from gateway/docs/protocol.mjs.
DOCS := docs.html asyncapi.json openapi.json templates.mjs moonx-protocol.7
$(DOCS:%=$(OUT)/gen/%) &: $(OUT)/gen/tables $(wildcard gateway/docs/*.mjs gateway/docs/examples/*)
	$(call say,DOCS,$(@D))
	$(Q)$(OUT)/gen/tables >$(OUT)/gen/tables.json
	$(Q)node gateway/docs/generate.mjs $(OUT)/gen/tables.json $(OUT)/gen

$(OUT)/gen/tables: $(OUT)/obj/gateway/docs/tables.o $(ARCHIVE)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(OUT)/gen/console_assets.c: gateway/console/embed $(wildcard gateway/console/*) $(UPLOT_FILES) $(DOCS:%=$(OUT)/gen/%)
	@mkdir -p $(@D)
	$(call say,EMBED,$@)
	$(Q)gateway/console/embed $(ASSETS) >$@.part && mv $@.part $@

$(OUT)/obj/console_assets.o: $(OUT)/gen/console_assets.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/obj/llhttp/%.o: /usr/share/llhttp/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -I/usr/share/include/llhttp -DLLHTTP_STRICT_MODE=1 -std=c11 -g -O2 -fPIE -w -c -o $@ $<

$(OUT)/unit/%: $(OUT)/obj/tests/unit/%.o $(BROWSER) $(ARCHIVE)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcheck -lsubunit -lrt $(LDLIBS)

$(OUT)/tests/%: $(OUT)/obj/tests/%.o $(BROWSER) $(ARCHIVE)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Loaded before the C library of a program under test.
$(OUT)/tests/%.so: tests/%.c
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) $(filter-out -fPIE,$(CFLAGS)) -fPIC -shared -o $@ $<

-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)

# --- tests ------------------------------------------------------------------------------------

.SECONDARY: # objects of tests are kept for the next build

.PHONY: unit check check-asan torture check-tsan integration test
unit: $(UNIT_TESTS)
check: ## unit tests: under a minute, no network
check: unit check-man
	JOBS=$$(nproc) tests/run-unit $(UNIT_TESTS)

# The option entries of moonx-gateway(8) come from the same table as --help.
.PHONY: man check-man
man: ## writes the options of man/moonx-gateway.8 anew
man: $(OUT)/man/option_entries $(OUT)/gen/moonx-protocol.7
	man/refresh $< man/moonx-gateway.8
	cp $(OUT)/gen/moonx-protocol.7 man/
check-man: $(OUT)/man/option_entries $(OUT)/gen/moonx-protocol.7
	man/refresh --check $< man/moonx-gateway.8
	@cmp $(OUT)/gen/moonx-protocol.7 man/moonx-protocol.7 || { echo 'moonx-protocol(7) is not what gateway/docs says; run `make man`' >&2; exit 1; }

$(OUT)/man/option_entries: $(OUT)/obj/man/option_entries.o $(ARCHIVE)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

check-asan: ## unit tests under the address and undefined-behaviour sanitizers
	$(MAKE) VARIANT=asan check

TORTURE := torture_step torture_ring torture_torn torture_snapshot torture_wake torture_uplink
torture: ## processes killed in mid-write, torn reads, lost wake-ups: some 30 s
torture: $(TORTURE:%=$(OUT)/tests/torture/%)
	tests/run-unit $(TORTURE:%=$(OUT)/tests/torture/%)
	$(OUT)/tests/torture/torture_step --broken

THREADS := torture_threads torture_uplink_threads
check-tsan: ## ring and uplink in threads under the thread sanitizer
	$(MAKE) VARIANT=tsan $(THREADS:%=build/tsan/tests/torture/%)
	tests/run-unit $(THREADS:%=build/tsan/tests/torture/%)

integration: ## the whole product against real Kafka, foreign clients, kill -9
integration: all $(HELPERS)
	$(OUT)/tests/integration/ingest_harness build/moonx-ingest
	tests/run-integration

test: ## everything that CI runs, with what it needs installed: under 15 minutes
test: deps-test
	$(MAKE) all check
	$(MAKE) check-asan
	$(MAKE) torture check-tsan
	$(MAKE) integration
	$(MAKE) chaos

.PHONY: bench
bench: ## measures everything in tests/bench/RESULTS.md: about a quarter of an hour
bench: all $(HELPERS)
	tests/bench/run $(BENCH_ARGS)

.PHONY: chaos
chaos: ## everything killed at random under load, then the history checked: 100 s; CHAOS_SECONDS=600 CHAOS_SEED= for longer
chaos: all $(HELPERS)
	TEST_SECONDS=$$(($(or $(CHAOS_SECONDS),0) + 540)) tests/run-integration tests/chaos/chaos.test.mjs

.PHONY: storm
storm: ## 10,000 connections through 20 reloads, 10,000 that resume, 20,000 that come back at once: three minutes
storm: all $(HELPERS)
	tests/storm/run $(STORM_ARGS)

FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SECONDS ?= 30
.PHONY: fuzz
fuzz: ## each fuzz target for FUZZ_SECONDS, with clang's libFuzzer
	$(call install_packages,$(RUN_PACKAGES) clang libclang-rt-14-dev)
	$(MAKE) VARIANT=fuzz CC=clang $(FUZZERS:%=build/fuzz/%)
	for target in $(FUZZERS); do \
	    mkdir -p build/fuzz/corpus/$$target && \
	    build/fuzz/$$target -max_total_time=$(FUZZ_SECONDS) -verbosity=0 build/fuzz/corpus/$$target || exit 1; \
	done

build/fuzz/fuzz_%: $(OUT)/obj/tests/fuzz/fuzz_%.o $(BROWSER) $(ARCHIVE)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LDLIBS)

# --- everything else --------------------------------------------------------------------------

RUN_PACKAGES  := gcc libc6-dev libevent-dev libwslay-dev librdkafka-dev libcjson-dev libssl-dev \
                 zlib1g-dev uthash-dev libhiredis-dev node-llhttp liburing-dev kcat \
                 $(if $(shell command -v node 2>/dev/null),,nodejs) $(if $(shell command -v npm 2>/dev/null),,npm)
TEST_PACKAGES := check redis-server libsubunit-dev python3 openssl mandoc nginx-light haproxy python3-websockets libfaketime chromium fonts-dejavu-core \
                 $(if $(shell command -v java 2>/dev/null),,default-jre-headless) $(if $(shell command -v mvn 2>/dev/null),,maven)

# $(1): Debian packages; installs those that are missing and says so.
define install_packages
	@missing=; for package in $(1); do \
	    dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
	    sudo=; [ "$$(id -u)" -eq 0 ] || sudo=sudo; \
	    echo "installing Debian packages:$$missing"; \
	    $$sudo apt-get update -qq && \
	    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
endef

.PHONY: deps deps-test run
deps: ## installs the Debian packages that building and running need
	$(call install_packages,$(RUN_PACKAGES))
deps-test: ## the same for the tests
deps-test: deps
	$(call install_packages,$(RUN_PACKAGES) $(TEST_PACKAGES))

run: ## builds and starts the gateway in development mode, with its own broker and demo stream
run: deps
	@$(MAKE) --no-print-directory -s all
	@exec build/moonx-gateway --dev $(ARGS)

C_FILES := $(wildcard common/*.[ch] shm/*.[ch] ingest/*.[ch] gateway/*.[ch] gateway/*/*.[ch] tests/*/*.[ch] man/*.c)
.PHONY: format lint
format: ## clang-format over all C files
	$(call install_packages,clang-format)
	clang-format -i $(C_FILES)
lint: ## clang-format and clang-tidy, without changing anything
	$(call install_packages,$(RUN_PACKAGES) clang-format clang-tidy)
	clang-format --dry-run -Werror $(C_FILES)
	@# one file a process: over several, clang-tidy 14 loses sight of va_start()
	printf '%s\n' $(SOURCES) $(MAINS) | xargs -P $$(nproc) -I {} clang-tidy --quiet {} -- $(CPPFLAGS) -std=c11

.PHONY: install
install: ## into DESTDIR/PREFIX
install: all
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(PROGRAMS:%=build/%)
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system deploy/moonx-gateway.service
	sed -i 's|^ExecStart=/usr/local/|ExecStart=$(PREFIX)/|' $(DESTDIR)$(PREFIX)/lib/systemd/system/moonx-gateway.service
	for section in 1 5 7 8; do \
	    install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man$$section man/*.$$section; \
	done
	install -D -m 644 deploy/moonx-gateway.bash-completion $(DESTDIR)$(PREFIX)/share/bash-completion/completions/moonx-gateway
	for program in moonx-ingest moonx-client; do \
	    ln -sf moonx-gateway $(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$program; \
	done
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/moonx-gateway README.md LICENSE CHANGELOG.md
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/moonx-gateway/deploy deploy/README.md deploy/*.example deploy/two-users.conf

.PHONY: clean help
clean: ## removes build/
	rm -rf build
help: ## this list
	@grep -hE '^[a-z-]+: ## ' $(MAKEFILE_LIST) | sed 's/: ## /\t/' | expand -t 14
