# brandsync - build, test, install. `make help` lists the targets.
# One library holds everything but the mains; programs and tests link it. Objects live under build/FLAVOUR/.

VERSION   := 0.1.0
FLAVOUR   ?= release
BUILD     ?= build
OUT       := $(BUILD)/$(FLAVOUR)
PREFIX    ?= /usr
SYSCONFDIR ?= /etc
UNITDIR   ?= /lib/systemd/system
MAKEFLAGS += --no-builtin-rules -j$(shell nproc)
# One short line for each file built; V=1 shows the commands.
V ?=
quiet = $(if $(V),,@printf '  %-5s %s\n' $(1) $@;)

.DEFAULT_GOAL := all

include packaging/deps.mk

# --- flags -------------------------------------------------------------------------------------------
PKGS := libcurl openssl yaml-0.1 zlib sqlite3 jansson libmicrohttpd libsystemd libutf8proc expat
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   = $(shell pkg-config --libs $(PKGS) 2>/dev/null) -linotifytools

WARN := -Wall -Wextra -Wformat=2 -Wimplicit-fallthrough -Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith \
        -Wwrite-strings -Wshadow -Wundef -Wvla -Wconversion -Wno-sign-conversion -Werror=format-security \
        -Werror=implicit -Werror=incompatible-pointer-types -Werror=int-conversion
# Every hardening flag is probed by itself: compilers differ (gcc 12 and clang 14 at least are served).
probe = $(shell printf 'int main(void){return 0;}' | $(CC) -Werror $(1) -x c -o /dev/null - 2>/dev/null && echo $(1))
HARDEN_release := $(foreach f,-fstack-protector-strong -fstack-clash-protection -fcf-protection=full -ftrivial-auto-var-init=zero \
        -fstrict-flex-arrays=3 -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing,$(call probe,$(f))) \
        -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
OPT_release := -O2 -g $(HARDEN_release)
OPT_asan    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
OPT_tsan    := -O1 -g -fsanitize=thread
LINK_release := -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed
LINK_asan   := -fsanitize=address,undefined
LINK_tsan   := -fsanitize=thread
WERROR ?=

ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -Iinclude -MMD -MP -fPIE -pthread $(WARN) $(WERROR) $(OPT_$(FLAVOUR)) $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pie -pthread $(LINK_$(FLAVOUR)) $(LDFLAGS)

# --- what is built -----------------------------------------------------------------------------------
MAINS    := src/cmd/brandsyncd.c src/cmd/brandsync.c src/portal/brandsync-portal.c
LIB_SRC  := $(filter-out $(MAINS),$(wildcard src/*/*.c))
LIB_OBJ  := $(LIB_SRC:%.c=$(OUT)/%.o)
LIB      := $(OUT)/libbrandsync.a
PROGRAMS := $(patsubst %.c,$(OUT)/%,$(notdir $(wildcard $(MAINS))))
FAKES    := $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/fakes/*.c))
TEST_SRC := $(wildcard tests/unit/*.c tests/scenario/*.c tests/threads/*.c)
TESTS    := $(TEST_SRC:%.c=$(OUT)/%)
SIM      := $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/scenario/sim/*.c))
BENCH    := $(patsubst %.c,$(OUT)/%,$(wildcard tests/bench/*.c))

all: $(PROGRAMS) ## build the three programs (links to them stand in build/)
	@for p in $(notdir $(PROGRAMS)); do ln -sfn $(FLAVOUR)/$$p $(BUILD)/$$p; done

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(call quiet,AR)$(AR) rcs $@ $^

# The programs.
$(OUT)/brandsyncd: $(OUT)/src/cmd/brandsyncd.o $(LIB)
$(OUT)/brandsync: $(OUT)/src/cmd/brandsync.o $(LIB)
$(OUT)/brandsync-portal: $(OUT)/src/portal/brandsync-portal.o $(LIB)
$(OUT)/brandsyncd $(OUT)/brandsync $(OUT)/brandsync-portal:
	$(call quiet,LINK)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(PKG_LIBS)

$(filter $(OUT)/tests/scenario/%,$(TESTS)): $(SIM)
$(TESTS): $(OUT)/tests/%: $(OUT)/tests/%.o $(FAKES) $(LIB)
	$(call quiet,LINK)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(PKG_LIBS) -lcmocka
$(BENCH): $(OUT)/tests/bench/%: $(OUT)/tests/bench/%.o $(LIB)
	$(call quiet,LINK)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(PKG_LIBS)

tests: $(TESTS) ## build the unit, scenario and thread tests
bench: all $(BENCH) ## build the benchmarks (tests/bench/README.md runs them)

include packaging/targets.mk

help: ## print this
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile packaging/*.mk | expand -t 24

.PHONY: all tests bench help
.SECONDARY:
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
