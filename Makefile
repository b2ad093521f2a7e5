# ovlctl: see README. "make" builds build/ovlctl and build/libovl.a; it installs nothing.
#
#   make [MODE=asan]     build (asan, tsan, cov); objects under build/<mode>/
#   make check           all tests       make demo      runs the main commands
#   make check-interop   images exchanged with skopeo, umoci, buildah, podman
#   make check-engines   reads the stores of docker, containerd and podman
#   make check-disk      all tests, with their files in TMPDIR
#   make check-kill      a kill at every step
#   make check-errors    each system call of each command fails, in each possible way
#   make check-power     a power cut at every step
#   make check-overlay   all tests with the driver overlay
#   make check-many      64 processes on one store for a minute
#   make check-tsan      code that uses threads, under ThreadSanitizer
#   make coverage        how much of lib/ the tests reach, by directory
#   make fuzz SECONDS=60 each target for so long      make fuzz-coverage
#   make bench           compares ovlctl with the usual alternatives;
#                        BENCH=--quick takes two minutes; see tests/bench/run --help
#   make bench-peers     also compares it with other layer tools
#   make bench-drivers   compares overlay2, overlay, full copies and btrfs
#   make dist            build/ovlctl-VERSION.tar.gz
#   make deb             a Debian package in build/       make check-deb   tests it
#   make install         PREFIX, DESTDIR make uninstall
#   make lint            the linters of CI       make clean
#
# STATIC=0 links every library shared, for distributions.

PREFIX  = /usr/local
DESTDIR =
BINDIR  = $(PREFIX)/bin
MANDIR  = $(PREFIX)/share/man
COMPDIR = $(PREFIX)/share/bash-completion/completions
ZSHDIR  = $(PREFIX)/share/zsh/site-functions
FISHDIR = $(PREFIX)/share/fish/vendor_completions.d
# mount(8) looks nowhere else, whatever PREFIX is.
HELPERDIR = /sbin

CC      = gcc
MODE    = release
STATIC  = 1
WERROR  =
V       = 0

WARN = -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wformat=2 -Wvla \
       -Wundef -Wwrite-strings
CFLAGS_release = -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong
CFLAGS_asan    = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
                 -fno-omit-frame-pointer
CFLAGS_tsan    = -O1 -g -fsanitize=thread -fno-omit-frame-pointer
CFLAGS_cov     = -O1 -g -fprofile-instr-generate -fcoverage-mapping
CFLAGS_fuzz    = $(CFLAGS_asan) -fsanitize=fuzzer-no-link
CFLAGS_fuzzcov = $(CFLAGS_cov)
LDFLAGS_release =
LDFLAGS_asan    = -fsanitize=address,undefined
LDFLAGS_tsan    = -fsanitize=thread
LDFLAGS_cov     = -fprofile-instr-generate
LDFLAGS_fuzz    = -fsanitize=fuzzer,address,undefined
LDFLAGS_fuzzcov = -fsanitize=fuzzer -fprofile-instr-generate

CFLAGS   =
CPPFLAGS =
LDFLAGS  =
ALL_CFLAGS  = -std=gnu11 -fPIE -ffunction-sections -fdata-sections -pthread $(WARN) \
              $(WERROR) $(CFLAGS_$(MODE)) -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Ilib \
              $(SHARED) $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pie -pthread -Wl,-z,relro,-z,now,-z,pack-relative-relocs -Wl,--gc-sections -Wl,--as-needed \
              $(LDFLAGS_$(MODE)) $(LDFLAGS)

# A command that takes a millisecond must not load twenty shared objects first: most
# libraries are linked statically, and libsmartcols is loaded when it is used.
LIBS_LAYER = -larchive -lcrypto -luuid -ljansson -lzstd -llzma -lbz2 -llz4 -lz
ifeq ($(STATIC),1)
LIBS_CORE = -Wl,-Bstatic $(LIBS_LAYER) -Wl,-Bdynamic
LIBS = $(LIBS_CORE)
LINKED = ovlctl
else
SHARED = -DOVL_SHARED
LIBS_CORE = $(LIBS_LAYER)
LIBS = $(LIBS_CORE) -lsmartcols
LINKED = $(if $(filter x86_64-% aarch64-%,$(shell $(CC) -dumpmachine)),linked,ovlctl)
endif

# "make V=1" shows the commands.
ifeq ($(V),0)
say = @printf '%-4s %s\n' '$(1)' '$@';
endif

OUT  = build/$(MODE)
LIB_SRC  = $(wildcard lib/*.c lib/*/*.c)
CMD_SRC  = $(wildcard cmd/*.c)
UNIT_SRC = $(wildcard tests/unit/*.c)
TOOL_SRC = $(wildcard tests/tool/*.c)
BENCH_SRC = $(wildcard tests/bench/*.c)
LIB_OBJ  = $(LIB_SRC:%.c=$(OUT)/%.o)
CMD_OBJ  = $(CMD_SRC:%.c=$(OUT)/%.o)
UNITS    = $(UNIT_SRC:%.c=$(OUT)/%)
TOOLS    = $(TOOL_SRC:tests/tool/%.c=build/tool/%)
# Each file without a header is a target. libFuzzer or drive.c calls it.
FUZZ_SRC = $(wildcard tests/fuzz/*.c)
FUZZ_LIB = $(patsubst %.h,$(OUT)/%.o,$(wildcard tests/fuzz/*.h)) \
           $(if $(filter fuzz%,$(MODE)),,$(OUT)/tests/fuzz/drive.o)
FUZZERS  = $(filter-out %/drive $(FUZZ_LIB:.o=),$(FUZZ_SRC:%.c=$(OUT)/%))
BENCHES  = $(BENCH_SRC:tests/bench/%.c=build/tool/bench/%)
MAN      = $(wildcard man/*.[578])

all: $(OUT)/ovlctl $(OUT)/libovl.a build/ovlctl build/libovl.a

# Copies of what was built last, in any mode, at the paths that README names.
build/ovlctl build/libovl.a: build/%: $(OUT)/% FORCE
	@cmp -s $< $@ || cp -pf $< $@

$(OUT)/$(LINKED): $(CMD_OBJ) $(OUT)/libovl.a
	$(call say,LD)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(CMD_OBJ) $(OUT)/libovl.a $(LIBS)

# See cmd/late.c. The code of quick commands must link without the libraries.
ifneq ($(LINKED),ovlctl)
LATE_OBJ = $(CMD_OBJ:%/late.o=%/late/late.o)
QUICK    = $(patsubst cmd/%.c,-ucmd_%,$(shell grep -l 'quick = true' cmd/*.c))

$(OUT)/cmd/late/late.h: $(OUT)/$(LINKED)
	@mkdir -p $(@D)
	@objdump -p $< | awk '$$1 == "NEEDED" && $$2 !~ /^(libc|libuuid|ld-linux.*)\.so/ { \
	    print "LIBRARY(\"" $$2 "\")" }' >$@.new
	@nm -D --undefined-only $< | awk '$$1 == "U" && $$2 !~ /@(GLIBC|UUID)_/ { \
	    sub(/@.*/, "", $$2); print "FUNCTION(" n++ ", " $$2 ")" }' >>$@.new
	@mv $@.new $@

$(OUT)/cmd/late/late.o: cmd/late.c $(OUT)/cmd/late/late.h
	$(call say,CC)$(CC) $(ALL_CFLAGS) -DOVL_LATE='"late.h"' -I$(@D) -c -o $@ $<

$(OUT)/ovlctl: $(LATE_OBJ)
	@$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -nostartfiles -Wl,-e,cmd_find $(QUICK) -o $(OUT)/quick \
	    $(filter-out %/late.o %/main.o %/commands.o,$(CMD_OBJ)) $(OUT)/libovl.a -luuid
	$(call say,LD)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(LATE_OBJ) $(OUT)/libovl.a -luuid
endif

$(OUT)/libovl.a: $(LIB_OBJ)
	@rm -f $@
	$(call say,AR)ar rcs $@ $(LIB_OBJ)

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(UNITS): $(OUT)/tests/unit/%: $(OUT)/tests/unit/%.o $(OUT)/libovl.a
	$(call say,LD)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(OUT)/libovl.a $(LIBS_CORE) \
	    $(shell pkg-config --libs check)

$(FUZZERS): $(OUT)/tests/fuzz/%: $(OUT)/tests/fuzz/%.o $(FUZZ_LIB) $(OUT)/libovl.a
	$(call say,LD)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(FUZZ_LIB) \
	    $(OUT)/libovl.a $(LIBS_CORE)

# The tools are not under test, so they have no sanitizers. They are started thousands
# of times, and loading a shared libcrypto would take longer than their work.
LIBS_TOOL = $(if $(filter 1,$(STATIC)),-l:libcrypto.a,-lcrypto)
$(TOOLS): build/tool/%: tests/tool/%.c $(wildcard tests/tool/*.h)
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -std=gnu11 -O2 $(WARN) $(WERROR) -D_GNU_SOURCE -o $@ $< $(LIBS_TOOL)

# Linked as ovlctl is, so that the dynamic linker takes as long as for ovlctl, with which
# they are compared. manylayers uses the library.
build/tool/bench/manylayers: $(OUT)/libovl.a
BENCH_LIBS_manylayers = $(OUT)/libovl.a $(LIBS_CORE)
$(BENCHES): build/tool/bench/%: tests/bench/%.c tests/bench/bare.h
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -std=gnu11 -O2 -fPIE $(WARN) $(WERROR) $(CFLAGS_$(MODE)) -D_GNU_SOURCE \
	    -Ilib $(ALL_LDFLAGS) -o $@ $< $(BENCH_LIBS_$*)

tests: $(UNITS) $(TOOLS) $(FUZZERS) $(BENCHES)

check: all tests
	@MODE=$(MODE) tests/run

# Most tests work in memory, here none of them. The short forms are enough, because a fault
# that depends on the disk shows at once.
check-disk: all tests
	@MODE=$(MODE) OVLCTL_TEST_DISK=1 OVLCTL_TEST_LIMIT=1800 tests/run

# With other programs; see "scripts/deps interop".
check-interop: all tests
	@scripts/deps interop
	@MODE=$(MODE) OVLCTL_TEST_LIMIT=0 prove --exec sh tests/interop/*.t

# The long forms of tests have no time limit.
# A kill at every point; "make check" tries some of them.
# With stores made by the engines; see "scripts/deps engines".
check-engines: all tests
	@scripts/deps engines
	@MODE=$(MODE) OVLCTL_TEST_LIMIT=600 prove -j 3 --exec sh tests/engines/*.t

check-kill: all tests
	@MODE=$(MODE) OVLCTL_TEST_LIMIT=0 KILL_STEP=1 prove --exec sh tests/root/kill.t tests/root/commit-kill.t
	@MODE=$(MODE) OVLCTL_TEST_LIMIT=0 KILL_STEP=1 OVLCTL_TEST_DRIVER=overlay prove --exec sh tests/root/commit-kill.t

check-power: all tests
	@MODE=$(MODE) OVLCTL_TEST_LIMIT=0 POWER_STEP=1 prove --exec sh tests/root/power.t

# Errors of every call that can fail; "make check" tries some of them.
check-errors: all tests
	@MODE=$(MODE) OVLCTL_TEST_LIMIT=0 ERR_STEP=1 prove -v --exec sh tests/root/errors.t

# With the driver overlay, including tests that "make check" leaves out or shortens.
check-overlay: all tests
	@MODE=$(MODE) OVLCTL_TEST_LIMIT=0 OVLCTL_TEST_WHOLE=1 tests/run overlay-

check-many: all tests
	@MODE=$(MODE) OVLCTL_TEST_LIMIT=0 MANY_SECONDS=60 prove -v --exec sh tests/root/many.t

# The threads of import, export, diff and commit. A report is an error.
check-tsan:
	@$(MAKE) MODE=tsan all tests
	@MODE=tsan tests/run unit-stream unit-pargz unit-writer unit-decode unit-encode
	@MODE=tsan tests/run root-import-basic root-import-types root-image root-export \
	    root-commit root-diff-tar root-hostile-bytes root-foreign-docker

coverage:
	@scripts/deps fuzz
	@$(MAKE) MODE=cov CC=clang all tests
	@tests/coverage $(TESTS)

# Finds nothing, or stops and prints the file with the input.
fuzz: $(TOOLS)
	@scripts/deps fuzz
	@$(MAKE) MODE=fuzz CC=clang fuzzers
	@tests/fuzz/run $(or $(SECONDS),60)

# How much of the parsers the fuzzing has reached so far.
fuzz-coverage:
	@scripts/deps fuzz
	@$(MAKE) MODE=fuzzcov CC=clang fuzzers
	@tests/fuzz/coverage

fuzzers: $(FUZZERS)

bench: all $(BENCHES)
	@scripts/deps bench
	@tests/bench/run $(BENCH)

bench-peers: all $(BENCHES)
	@scripts/deps bench
	@scripts/deps peers
	@tests/bench/run --peers $(BENCH)

bench-drivers: all $(BENCHES)
	@scripts/deps bench
	@tests/bench/drivers $(BENCH)

demo: all
	@scripts/demo

dist:
	@scripts/package dist

deb:
	@scripts/package deb

# Installs, uses and purges the package in a minimal Debian.
check-deb: deb
	@scripts/package check

lint: all
	@scripts/lint

install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man7 $(DESTDIR)$(MANDIR)/man8 \
	    $(DESTDIR)$(COMPDIR) $(DESTDIR)$(ZSHDIR) $(DESTDIR)$(FISHDIR) $(DESTDIR)$(HELPERDIR)
	install -m 755 build/ovlctl $(DESTDIR)$(BINDIR)/ovlctl
	ln -sf $(BINDIR)/ovlctl $(DESTDIR)$(HELPERDIR)/mount.ovlctl
	for page in $(MAN); do \
	    install -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/ || exit 1; \
	done
	install -m 644 scripts/completion/ovlctl.bash $(DESTDIR)$(COMPDIR)/ovlctl
	install -m 644 scripts/completion/ovlctl.zsh $(DESTDIR)$(ZSHDIR)/_ovlctl
	install -m 644 scripts/completion/ovlctl.fish $(DESTDIR)$(FISHDIR)/ovlctl.fish

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/ovlctl $(DESTDIR)$(HELPERDIR)/mount.ovlctl \
	    $(DESTDIR)$(COMPDIR)/ovlctl \
	    $(DESTDIR)$(ZSHDIR)/_ovlctl $(DESTDIR)$(FISHDIR)/ovlctl.fish
	for page in $(MAN); do \
	    rm -f $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}; \
	done

clean:
	rm -rf build

FORCE:
.PHONY: all tests check check-disk check-interop check-engines check-kill check-power check-overlay check-many \
    fuzz fuzz-coverage fuzzers demo lint install uninstall clean FORCE bench \
    bench-peers bench-drivers check-errors check-tsan coverage dist deb check-deb
.SECONDARY:

-include $(LIB_OBJ:.o=.d) $(CMD_OBJ:.o=.d) $(UNITS:=.d) \
    $(FUZZ_SRC:%.c=$(OUT)/%.d)
