# TaskFlow. `make help` lists the targets.
# V=1 shows commands, DEV=1 makes warnings errors, SAN=address,undefined builds
# with sanitizers into a folder of its own, CC=clang works too.

VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
SAN     ?=
CC      ?= cc
comma   := ,
VARIANT := $(if $(SAN),$(subst $(comma),-,$(SAN))$(if $(findstring clang,$(CC)),-clang),$(if $(findstring clang,$(CC)),clang,plain))
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
	$(CFLAGS) $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)
ALL_LDFLAGS = $(LDFLAGS) -pthread -rdynamic $(if $(SAN),-fsanitize=$(SAN))
LIBS       = $(PKG_LIBS) -lm

# ---- the daemon -------------------------------------------------------------
FLOORS  := base loop store task role
SRC     := $(wildcard $(FLOORS:%=src/%/*.c) src/role/*/*.c)
GEN     := $(B)/gen/sql.c
OBJ     := $(SRC:%.c=$(B)/%.o) $(GEN:%.c=%.o)
SQL     := $(sort $(wildcard sql/schema/*.sql sql/query/*.sql src/task/lua/*.lua))

.DEFAULT_GOAL := all
.PHONY: all help deps run demo check check-unit check-integration lint fmt \
	fuzz valgrind conf install uninstall clean
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
