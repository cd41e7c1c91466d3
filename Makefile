# TaskFlow. `make help` lists the targets.
# V=1 shows commands, DEV=1 makes warnings errors, SAN=address,undefined builds
# with sanitizers into a folder of its own, CC=clang works too.

VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
SAN     ?=
CC      ?= cc
comma   := ,
VARIANT := $(if $(CRASH),crash-)$(if $(SAN),$(subst $(comma),-,$(SAN))$(if $(findstring clang,$(CC)),-clang),$(if $(findstring clang,$(CC)),clang,plain))
B       := build/$(VARIANT)
Q       := $(if $(V),,@)

PKGS    := libevent libevent_openssl hiredis libpq libcjson libjwt openssl libcrypt
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes \
	-Wpointer-arith -Wwrite-strings -Wvla $(if $(DEV),-Werror)
# Expanded when a compiler runs, so that `make help` and `make deps` work on a
# machine that has none of the libraries yet.
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   = $(shell pkg-config --libs $(PKGS))
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -DTASKFLOW_VERSION='"$(VERSION)"' \
	-fstack-protector-strong $(WARN) -Iinclude -Isrc -I$(B)/gen $(PKG_CFLAGS) \
	$(CFLAGS) $(if $(CRASH),-DTASKFLOW_CRASH_POINTS) $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)
ALL_LDFLAGS = $(LDFLAGS) -pthread -rdynamic $(if $(SAN),-fsanitize=$(SAN))
LIBS       = $(PKG_LIBS) -lm

# ---- the daemon -------------------------------------------------------------
FLOORS  := base loop store task role
SRC     := $(wildcard $(FLOORS:%=src/%/*.c) src/role/*/*.c)
GEN     := $(B)/gen/sql.c
OBJ     := $(SRC:%.c=$(B)/%.o) $(GEN:%.c=%.o)
SQL     := $(sort $(wildcard sql/schema/*.sql sql/query/*.sql src/task/lua/*.lua))

.DEFAULT_GOAL := all
.PHONY: all help run demo check check-all check-unit check-integration \
	check-crash chaos overload abuse bench soak budget lint fmt \
	fuzz valgrind conf manifests install uninstall deb dist \
	check-deploy check-image check-systemd clean
.DELETE_ON_ERROR:

all: build/taskflowd			## build build/taskflowd
build/taskflowd: $(B)/taskflowd
	$(Q)cp -f $< $@
$(B)/taskflowd: $(B)/src/main.o $(OBJ)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(B)/gen/%.o: $(B)/gen/%.c
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<
# Migrations, statements and scripts become C strings: one program, no files.
$(B)/gen/sql.c: $(SQL) src/embed.awk
	@mkdir -p $(@D)
	$(Q)awk -f src/embed.awk -v header=$(B)/gen/sql.h $(SQL) >$@
$(OBJ) $(B)/src/main.o: | $(GEN)

-include $(OBJ:.o=.d) $(B)/src/main.d

help:					## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-18s %s\n", $$1, $$2}' Makefile

# ---- tests ------------------------------------------------------------------
# A unit test of a floor links the objects of that floor and the ones below, so
# a call upwards does not link.
UNIT_SRC := $(wildcard test/unit/*/test_*.c)
UNIT     := $(UNIT_SRC:%.c=$(B)/%)
INT_SRC  := $(wildcard test/integration/test_*.c)
INT      := $(INT_SRC:%.c=$(B)/%)
CRASH_TESTS := $(patsubst %.c,$(B)/%,$(wildcard test/crash/test_*.c))
# Scripts, which find the daemon by TASKFLOW_BIN.
# What is deployed is not built with sanitizers.
DEPLOY   := $(if $(SAN),,$(wildcard test/deploy/test_* test/scale/test_*))
SUPPORT  := $(patsubst %.c,$(B)/%.o,$(wildcard test/support/*.c))
TEST_LIBS = $(LIBS) $(shell pkg-config --libs cmocka)
floor_objs = $(filter $(foreach f,$(1),$(B)/src/$(f)/%),$(OBJ)) $(B)/gen/sql.o
OBJ_base := $(call floor_objs,base)
OBJ_loop := $(call floor_objs,base loop)
OBJ_store := $(call floor_objs,base loop store)
OBJ_task := $(call floor_objs,base loop store task)
OBJ_role := $(OBJ)

define unit_rule
$(B)/test/unit/$(1)/%: $(B)/test/unit/$(1)/%.o $$(OBJ_$(1))
	$$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(TEST_LIBS)
endef
$(foreach f,$(FLOORS),$(eval $(call unit_rule,$(f))))
$(UNIT_SRC:%.c=$(B)/%.o) $(SUPPORT) $(INT_SRC:%.c=$(B)/%.o): | $(GEN)

# Integration tests run the real daemon on real servers and link none of it,
# but those of the store, which drive its client in their own process.
$(B)/test/integration/%: $(B)/test/integration/%.o $(SUPPORT)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS)
$(B)/test/crash/%: $(B)/test/crash/%.o $(SUPPORT)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS)
$(B)/test/integration/test_store_%: $(B)/test/integration/test_store_%.o \
		$(OBJ_store)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LIBS)

# Fuzz targets without a fuzzer: each replays its corpus.
REPLAY := $(patsubst test/fuzz/%.c,$(B)/test/fuzz/%,$(wildcard test/fuzz/fuzz_*.c))
$(B)/test/fuzz/%: $(B)/test/fuzz/%.o $(OBJ)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
$(B)/test/fuzz/%.o: ALL_CFLAGS += -DREPLAY
$(REPLAY:=.o): | $(GEN)

# The load generator links nothing of the daemon.
$(B)/test/bench/load: $(patsubst %.c,$(B)/%.o,$(wildcard test/bench/*.c))
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(shell pkg-config --libs libevent) -lm
$(B)/test/bench/bare/bare: $(B)/test/bench/bare/bare.o
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(shell pkg-config --libs libevent)
BENCH_TOOLS := $(addprefix $(B)/test/bench/,load bare/bare handler/handler spawn/spawn)
$(B)/test/bench/handler/handler $(B)/test/bench/spawn/spawn: %: %.o
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

$(B)/test/%.o: ALL_CFLAGS += -Itest -Itest/support

-include $(UNIT:=.d) $(REPLAY:=.d) $(INT:=.d) $(SUPPORT:.o=.d)
.SECONDARY:

check:					## install what tests need, build, run all tests
	$(Q)deploy/local/packages check
	$(Q)$(MAKE) check-all
check-all: $(B)/taskflowd $(UNIT) $(REPLAY) $(INT)
	$(Q)TASKFLOW_BIN=$(B)/taskflowd test/run $(UNIT) $(REPLAY) -- $(INT) $(DEPLOY)
check-deploy: $(B)/taskflowd		## units, packages, manifests: what needs no servers
	$(Q)TASKFLOW_BIN=$(B)/taskflowd test/run -- $(DEPLOY)
check-systemd:				## the package under a real systemd, in a container
	$(Q)deploy/local/packages systemd
	$(Q)$(MAKE) --no-print-directory -s all
	$(Q)test/deploy/systemd/run
# The daemon kills itself at each step of each write path, one after the other.
check-crash: $(CRASH_TESTS)		## crash points, in a build of their own
	$(Q)$(MAKE) --no-print-directory -s CRASH=1 build/crash-plain/taskflowd
	$(Q)TASKFLOW_BIN=build/crash-plain/taskflowd test/run -- $^
# SEED, MINUTES, FAULTS (names with commas, or all, or none), LOAD.
chaos: all				## the fault campaign: load, faults, a history, a checker
	$(Q)test/chaos/run
# 2,000 connections at twice what the system can do; a backlog of 100,000.
overload: all $(B)/test/bench/load	## more than it can do: memory, /livez, refusals
	$(Q)LOAD_GEN=$(abspath $(B)/test/bench/load) test/load/overload
# SECONDS of each case (3), ONLY (a pattern).
abuse: all				## clients that behave badly: does /livez answer within 100 ms?
	$(Q)test/load/abuse
# N, REPS, ONLY (metrics), ALL=1 (what takes long, too), KIT and PEERS (others to
# measure in turn), README=1 (the tables go there); see the --help of test/bench/run.
bench: all $(BENCH_TOOLS)		## measure speed, latency, CPU, memory; is it what it should be?
	$(Q)test/bench/run --bin build/taskflowd --tools $(B)/test/bench \
		$(if $(N),--n $(N)) $(if $(REPS),--reps $(REPS)) $(if $(ALL),--all) \
		$(if $(ONLY),--only $(ONLY)) $(if $(KIT),--kit $(KIT)) $(if $(PEERS),--peers $(PEERS)) \
		$(if $(README),--readme README.md)
soak: all $(B)/test/bench/load		## MINUTES (10) of mixed load: is memory flat?
	$(Q)LOAD_GEN=$(abspath $(B)/test/bench/load) test/load/soak
# Times are noisy, instruction counts are not. test/budget/run --top shows what
# they were spent on, --syscalls counts system calls, --write makes new budgets.
budget:					## instructions of the hot paths against their budgets
	$(Q)deploy/local/packages budget
	$(Q)$(MAKE) --no-print-directory -s $(B)/taskflowd $(B)/test/bench/load
	$(Q)TASKFLOW_BIN=$(B)/taskflowd LOAD_GEN=$(abspath $(B)/test/bench/load) test/budget/run
check-unit: $(UNIT) $(REPLAY)		## the tests that need no server
	$(Q)test/run $(UNIT) $(REPLAY)
check-integration: $(B)/taskflowd $(INT)	## the real daemon on real servers
	$(Q)TASKFLOW_BIN=$(B)/taskflowd test/run -- $(INT)

# ---- looking at the source --------------------------------------------------
FORMATTED := $(wildcard src/*.c src/*/*.c src/*/*/*.c test/*/*.c test/*/*/*.c)
lint:					## floors, lengths, layout, cppcheck, scripts, manuals
	$(Q)test/lint/lint $(FORMATTED)
fmt:					## lay the C sources out with clang-format
	$(Q)clang-format -i $(FORMATTED)
CONF_TESTS := $(addprefix $(B)/test/unit/base/test_conf_,value manual roles)
METRIC_TEST := $(B)/test/unit/base/test_metric_manual
conf: $(CONF_TESTS) $(METRIC_TEST)	## write conf/*.conf of taskflowd and the manual from the option table
	$(Q)$(B)/test/unit/base/test_conf_value --write conf/taskflowd.conf
	$(Q)$(B)/test/unit/base/test_conf_manual --write
	$(Q)$(METRIC_TEST) --write
	$(Q)$(B)/test/unit/base/test_conf_roles --write

FUZZ := $(patsubst test/fuzz/%.c,build/fuzz/%,$(wildcard test/fuzz/fuzz_*.c))
FUZZ_SECONDS ?= 60
build/fuzz/%: test/fuzz/%.c $(SRC) $(GEN)
	@mkdir -p $(@D)
	$(Q)clang -fsanitize=fuzzer,address,undefined $(ALL_CFLAGS) $(LDFLAGS) \
		-pthread -o $@ $< $(SRC) $(GEN) $(LIBS)
fuzz: $(FUZZ)				## fuzz the parsers, FUZZ_SECONDS each
	$(Q)for f in $(FUZZ); do echo "$$f"; c=corpus/$${f##*/}; mkdir -p build/fuzz/$$c; \
		$$f build/fuzz/$$c test/fuzz/$$c -max_total_time=$(FUZZ_SECONDS) -print_final_stats=0 2>&1 | tail -n 2; done
# valgrind keeps resource limits of its own: not for tests that play with them.
VALGRIND := valgrind -q --error-exitcode=1 --leak-check=full \
	--child-silent-after-fork=yes
valgrind: $(UNIT)			## the unit tests under valgrind
	$(Q)for t in $(filter-out %/test_child_exec %/test_http_limits,$(UNIT)); do \
		$(VALGRIND) $$t >build/valgrind.log 2>&1 || \
			{ cat build/valgrind.log; echo "failed: $$t"; exit 1; }; done

# ---- Kubernetes and images ---------------------------------------------------
manifests:				## write deploy/kubernetes/taskflow.yaml from its parts (kubectl)
	$(Q)test/deploy/flat >deploy/kubernetes/taskflow.yaml.new
	$(Q)mv deploy/kubernetes/taskflow.yaml.new deploy/kubernetes/taskflow.yaml
check-image: all			## build the image's tree and run it with podman, if that is here
	$(Q)test/deploy/check_image build/taskflowd

# ---- trying it --------------------------------------------------------------
run:					## install, build, start everything, show what to type
	$(Q)deploy/local/packages run
	$(Q)$(MAKE) --no-print-directory -s all
	$(Q)deploy/local/run
demo:					## the same without a terminal: do a real job and check it
	$(Q)deploy/local/packages run
	$(Q)$(MAKE) --no-print-directory -s all
	$(Q)deploy/local/demo

# ---- installing -------------------------------------------------------------
# Where things go: PREFIX (/usr/local), SYSCONFDIR (/etc), UNITDIR, SYSUSERSDIR,
# TMPFILESDIR (all below PREFIX/lib); DESTDIR in front of each.
export DESTDIR PREFIX SYSCONFDIR UNITDIR SYSUSERSDIR TMPFILESDIR
install: all				## program, units, manuals, configuration
	$(Q)deploy/install install
uninstall:				## what install has put there, but no conf that was changed
	$(Q)deploy/install uninstall
deb: all				## build/deb/taskflow_VERSION_ARCH.deb
	$(Q)deploy/debian/build
dist:					## build/taskflow-VERSION.tar.gz, of the last commit
	$(Q)deploy/dist
clean:					## remove build/
	rm -rf build
