# MoonX Gateway. `make help` lists the targets.
# Everything that is built lies in build/; VARIANT chooses the flavour:
#   release (default)   asan: address and undefined-behaviour sanitizers   tsan: thread sanitizer

VARIANT ?= release
PREFIX  ?= /usr/local
WERROR  ?=
CC      ?= cc
ifeq ($(origin CC),default)
CC := cc
endif

OUT := build/$(VARIANT)

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wvla -Wwrite-strings -Wimplicit-fallthrough $(if $(WERROR),-Werror)
CPPFLAGS := -D_GNU_SOURCE -I. -isystem /usr/share/include
CFLAGS   := -std=c11 -g -O2 -fno-omit-frame-pointer -fstack-protector-strong -fPIE $(WARNINGS)
LDFLAGS  := -pie -Wl,-z,relro,-z,now
LDLIBS   := -lrdkafka -levent -lwslay -lcjson -luring -lssl -lcrypto -lz -lpthread -lm

ifeq ($(VARIANT),release)
CPPFLAGS += -D_FORTIFY_SOURCE=2
else ifeq ($(VARIANT),asan)
CFLAGS  += -fsanitize=address,undefined -fno-sanitize-recover=undefined -O1
LDFLAGS += -fsanitize=address,undefined
else ifeq ($(VARIANT),tsan)
CPPFLAGS += -DORDER_CHECKED
CFLAGS  += -fsanitize=thread -O1
LDFLAGS += -fsanitize=thread
endif

# Sources by folder; the four files with a main() are programs, all else goes into one archive.
MAINS    := gateway/supervisor/main.c ingest/main.c gateway/client/main.c
SOURCES  := $(filter-out $(MAINS),$(wildcard common/*.c shm/*.c ingest/*.c gateway/*.c gateway/*/*.c))
LLHTTP   := $(wildcard /usr/share/llhttp/*.c)
OBJECTS  := $(SOURCES:%.c=$(OUT)/obj/%.o) $(LLHTTP:/usr/share/llhttp/%.c=$(OUT)/obj/llhttp/%.o)
ARCHIVE  := $(OUT)/libmoonx.a
PROGRAMS := moonx-gateway moonx-ingest moonx-client

UNIT_TESTS := $(patsubst tests/unit/%.c,$(OUT)/unit/%,$(wildcard tests/unit/test_*.c))
HELPERS    := $(patsubst tests/%.c,$(OUT)/tests/%,$(wildcard tests/torture/*.c tests/bench/*.c tests/integration/*.c))

.PHONY: all
all: $(PROGRAMS:%=build/%)

$(PROGRAMS:%=build/%): build/%: $(OUT)/%
	@mkdir -p build
	ln -sf $(VARIANT)/$* $@

$(OUT)/moonx-gateway: $(OUT)/obj/gateway/supervisor/main.o $(ARCHIVE)
$(OUT)/moonx-ingest: $(OUT)/obj/ingest/main.o $(ARCHIVE)
$(OUT)/moonx-client: $(OUT)/obj/gateway/client/main.o $(ARCHIVE)
$(PROGRAMS:%=$(OUT)/%):
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(ARCHIVE): $(OBJECTS)
	@rm -f $@
	ar rcs $@ $^

$(OUT)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/obj/llhttp/%.o: /usr/share/llhttp/%.c
	@mkdir -p $(@D)
	$(CC) -I/usr/share/include/llhttp -DLLHTTP_STRICT_MODE=1 -std=c11 -g -O2 -fPIE -w -c -o $@ $<

$(OUT)/unit/%: $(OUT)/obj/tests/unit/%.o $(ARCHIVE)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcheck -lsubunit -lrt $(LDLIBS)

$(OUT)/tests/%: $(OUT)/obj/tests/%.o $(ARCHIVE)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)

.PHONY: unit check
unit: $(UNIT_TESTS)
check: unit
	tests/run-unit $(UNIT_TESTS)

.PHONY: clean
clean:
	rm -rf build
