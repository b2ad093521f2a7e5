/*
 * Runs a command in which one system call fails, or in which reads and writes are short.
 *
 *	inject -l FILE COMMAND...	writes a line "CALL N ERROR" into FILE for each way in
 *					which a call can fail
 *	inject -e FILE CALL N ERROR COMMAND...
 *					the Nth CALL fails with ERROR, and FILE gets a line
 *					that describes the call, or none if there was no
 *					such call. If ERROR is a signal (SIGTERM), it is
 *					sent when the call begins.
 *	inject -s BYTES COMMAND...	reads and writes transfer at most that many bytes;
 *					0: half of what was asked for
 *
 * Calls are counted from the start of the command, in all its threads and children,
 * without those of the dynamic linker and of other programs that it runs. The exit status
 * is that of the command, or 128 plus the number of the signal that killed it. x86-64 and
 * aarch64 only.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	exit(125);
}

/* ---- what can fail, and how ------------------------------------------------------- */

#define MOST 6

struct call {
	const char *name;
	long nr;
	int path; /* argument that is a path, for the log; 0: none */
	int count; /* argument that is a number of bytes; 0: none */
	int error[MOST];
};

#define FULL ENOSPC, EDQUOT, EIO
#define CALL(name, ...)                        \
	{                                      \
#name, SYS_##name, __VA_ARGS__ \
	}

static const struct call calls[] = {
	CALL(openat, 2, 0, {EIO, EMFILE, ENOMEM, EACCES, EINTR}),
	CALL(openat2, 2, 0, {EIO, EMFILE, ENOMEM, EAGAIN, EACCES}),
	CALL(read, 0, 3, {EIO, EINTR, ENOMEM}),
	CALL(pread64, 0, 3, {EIO, EINTR}),
	CALL(readv, 0, 0, {EIO, EINTR}),
	CALL(write, 0, 3, {FULL, EINTR, EFBIG}),
	CALL(pwrite64, 0, 3, {FULL, EINTR, EFBIG}),
	CALL(writev, 0, 0, {FULL, EINTR}),
	CALL(copy_file_range, 0, 5, {FULL}),
	CALL(sendfile, 0, 4, {FULL}),
	CALL(ftruncate, 0, 0, {FULL, EINTR, EFBIG}),
	CALL(fallocate, 0, 0, {FULL, EINTR}),
	CALL(lseek, 0, 0, {EIO}),
	CALL(ioctl, 0, 0, {EIO}),
	CALL(fsync, 0, 0, {FULL, EINTR}),
	CALL(fdatasync, 0, 0, {FULL, EINTR}),
	CALL(syncfs, 0, 0, {FULL}),
	CALL(close, 0, 0, {FULL}),
	CALL(mkdirat, 2, 0, {FULL, EACCES, EMLINK}),
	CALL(mknodat, 2, 0, {FULL}),
	CALL(symlinkat, 3, 0, {FULL}),
	CALL(linkat, 4, 0, {FULL, EMLINK}),
	CALL(renameat, 2, 0, {FULL}),
	CALL(renameat2, 2, 0, {FULL, EACCES}),
	CALL(unlinkat, 2, 0, {EIO, EACCES, ENOSPC}),
	CALL(fchmod, 0, 0, {EIO, ENOSPC}),
	CALL(fchmodat, 2, 0, {EIO, ENOSPC}),
	CALL(fchown, 0, 0, {FULL}),
	CALL(fchownat, 2, 0, {FULL}),
	CALL(utimensat, 2, 0, {EIO, ENOSPC}),
	CALL(setxattr, 1, 0, {FULL}),
	CALL(lsetxattr, 1, 0, {FULL}),
	CALL(fsetxattr, 0, 0, {FULL}),
	CALL(getxattr, 1, 0, {EIO, ENOMEM}),
	CALL(lgetxattr, 1, 0, {EIO, ENOMEM}),
	CALL(fgetxattr, 0, 0, {EIO, ENOMEM}),
	CALL(listxattr, 1, 0, {EIO, ENOMEM}),
	CALL(llistxattr, 1, 0, {EIO, ENOMEM}),
	CALL(flistxattr, 0, 0, {EIO, ENOMEM}),
	CALL(removexattr, 1, 0, {EIO, ENOSPC}),
	CALL(lremovexattr, 1, 0, {EIO, ENOSPC}),
	CALL(fremovexattr, 0, 0, {EIO, ENOSPC}),
	CALL(getdents64, 0, 0, {EIO, ENOMEM}),
	CALL(newfstatat, 2, 0, {EIO, ENOMEM, EACCES}),
	CALL(fstat, 0, 0, {EIO}),
	CALL(statx, 2, 0, {EIO, ENOMEM}),
	CALL(statfs, 1, 0, {EIO}),
	CALL(fstatfs, 0, 0, {EIO}),
	CALL(readlinkat, 2, 0, {EIO, ENOMEM, EACCES}),
	CALL(faccessat, 2, 0, {EIO, ENOMEM}),
	CALL(faccessat2, 2, 0, {EIO, ENOMEM}),
	CALL(fchdir, 0, 0, {EIO}),
	CALL(chdir, 1, 0, {EIO}),
	CALL(dup3, 0, 0, {EMFILE}),
	CALL(pivot_root, 1, 0, {EINVAL, EBUSY}),
	CALL(open_tree, 2, 0, {EIO, ENOMEM}),
	CALL(move_mount, 0, 0, {EIO, ENOSPC}),
	CALL(mount_setattr, 0, 0, {EIO, ENOMEM}),
	CALL(socketpair, 0, 0, {EMFILE, ENFILE, ENOMEM}),
	CALL(signalfd4, 0, 0, {EMFILE, ENFILE, ENOMEM}),
	CALL(mount, 2, 0, {EIO, ENOMEM, ENOSPC}),
	CALL(umount2, 1, 0, {EIO, ENOMEM, EBUSY}),
	CALL(flock, 0, 0, {ENOLCK, EINTR, EIO}),
	CALL(pipe2, 0, 0, {EMFILE, ENFILE}),
	CALL(eventfd2, 0, 0, {EMFILE, ENOMEM}),
	CALL(poll, 0, 0, {EINTR, ENOMEM}),
	CALL(clone, 0, 0, {EAGAIN, ENOMEM}),
	CALL(clone3, 0, 0, {EAGAIN, ENOMEM}),
	CALL(mmap, 0, 0, {ENOMEM}),
	CALL(mremap, 0, 0, {ENOMEM}),
	CALL(brk, 0, 0, {ENOMEM}),
#ifdef __x86_64__
	CALL(mkdir, 1, 0, {FULL, EACCES}),
	CALL(rename, 1, 0, {FULL}),
	CALL(unlink, 1, 0, {EIO}),
	CALL(readlink, 1, 0, {EIO}),
#endif
};

#define N_CALLS (sizeof(calls) / sizeof(calls[0]))

static unsigned long seen[N_CALLS];

static const struct call *find_nr(long nr)
{
	for (size_t i = 0; i < N_CALLS; i++) {
		if (calls[i].nr == nr)
			return &calls[i];
	}
	return NULL;
}

/* ---- registers -------------------------------------------------------------------- */

#if defined(__x86_64__)
typedef struct user_regs_struct regs_t;

static long reg_nr(const regs_t *r)
{
	return (long)r->orig_rax;
}

static uint64_t reg_pc(const regs_t *r)
{
	return r->rip;
}

static uint64_t *reg_arg(regs_t *r, int n)
{
	unsigned long long *const at[] = {
		&r->rdi, &r->rsi, &r->rdx, &r->r10, &r->r8, &r->r9};

	return (uint64_t *)at[n - 1];
}

static void set_result(regs_t *r, long value)
{
	r->rax = (unsigned long long)value;
}

static void skip_call(pid_t pid, regs_t *r)
{
	(void)pid;
	r->orig_rax = (unsigned long long)-1;
}
#elif defined(__aarch64__)
typedef struct user_regs_struct regs_t;

static long reg_nr(const regs_t *r)
{
	return (long)r->regs[8];
}

static uint64_t reg_pc(const regs_t *r)
{
	return r->pc;
}

static uint64_t *reg_arg(regs_t *r, int n)
{
	return (uint64_t *)&r->regs[n - 1];
}

static void set_result(regs_t *r, long value)
{
	r->regs[0] = (unsigned long long)value;
}

static void skip_call(pid_t pid, regs_t *r)
{
	int nr = -1;
	struct iovec v = {&nr, sizeof(nr)};

	(void)r;
	if (ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &v) < 0)
		die("system call");
}
#else
#error "not for this machine"
#endif

static void get_regs(pid_t pid, regs_t *r)
{
	struct iovec v = {r, sizeof(*r)};

	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v) < 0)
		die("registers");
}

static void set_regs(pid_t pid, regs_t *r)
{
	struct iovec v = {r, sizeof(*r)};

	if (ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &v) < 0)
		die("registers");
}

/* ---- what is wanted --------------------------------------------------------------- */

static struct {
	FILE *list; /* -l */
	const char *log; /* -e */
	const struct call *call;
	unsigned long n;
	int error; /* or -signal */
	bool shorten; /* -s */
	uint64_t most;
} want;

static uint64_t linker[2]; /* where the dynamic linker is */

static int error_named(const char *name)
{
	for (int i = 1; i < 134; i++) {
		const char *s = strerrorname_np(i);

		if (s && strcmp(s, name) == 0)
			return i;
	}
	for (int i = 1; i < 32; i++) {
		const char *s = sigabbrev_np(i);

		if (s && strncmp(name, "SIG", 3) == 0 && strcmp(s, name + 3) == 0)
			return -i;
	}
	errno = EINVAL;
	die(name);
	return 0;
}

static const struct call *call_named(const char *name)
{
	for (size_t i = 0; i < N_CALLS; i++) {
		if (strcmp(calls[i].name, name) == 0)
			return &calls[i];
	}
	errno = EINVAL;
	die(name);
	return NULL;
}

static void print_path(FILE *to, pid_t pid, regs_t *r, const struct call *c)
{
	char name[64];
	char text[256];
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/mem", pid);
	fd = c->path ? open(name, O_RDONLY) : -1;
	if (fd < 0) {
		snprintf(name, sizeof(name), "/proc/%d/fd/%d", pid, (int)*reg_arg(r, 1));
		n = readlink(name, text, sizeof(text) - 1);
	} else {
		n = pread(fd, text, sizeof(text) - 1, (off_t)*reg_arg(r, c->path));
		close(fd);
	}
	text[n < 0 ? 0 : n] = '\0';
	fprintf(to, " %s", text);
}

/* A call begins. True: stop again when it returns. */
static bool entered(pid_t pid)
{
	const struct call *c;
	regs_t r;

	get_regs(pid, &r);
	c = find_nr(reg_nr(&r));
	if (!c || (reg_pc(&r) >= linker[0] && reg_pc(&r) < linker[1]))
		return false;
	/* Not below eight bytes, which an eventfd needs. */
	if (want.shorten && c->count && *reg_arg(&r, c->count) > 8) {
		uint64_t *n = reg_arg(&r, c->count);

		*n = !want.most ? *n / 2 : *n > want.most ? want.most : *n;
		set_regs(pid, &r);
		return false;
	}
	seen[c - calls]++;
	for (int i = 0; want.list && i < MOST && c->error[i]; i++)
		fprintf(want.list, "%s %lu %s\n", c->name, seen[c - calls],
			strerrorname_np(c->error[i]));
	if (c != want.call || seen[c - calls] != want.n)
		return false;
	if (want.log) {
		FILE *log = fopen(want.log, "w");

		if (!log)
			die(want.log);
		fprintf(log, "%s %lu %s", c->name, want.n,
			want.error > 0 ? strerrorname_np(want.error) : "signal");
		print_path(log, pid, &r, c);
		putc('\n', log);
		fclose(log);
	}
	if (want.error < 0) {
		kill(pid, -want.error);
		return false;
	}
	/* As in the kernel, the descriptor is closed although close(2) fails. */
	if (c->nr == SYS_close)
		return true;
	/* A failed brk(2) returns a break, not an error. */
	set_result(&r, c->nr == SYS_brk ? 0 : -want.error);
	skip_call(pid, &r);
	set_regs(pid, &r);
	return false;
}

static void left(pid_t pid)
{
	regs_t r;

	get_regs(pid, &r);
	set_result(&r, -want.error);
	set_regs(pid, &r);
}

static void find_linker(pid_t pid)
{
	char line[512];
	FILE *f;

	snprintf(line, sizeof(line), "/proc/%d/maps", pid);
	f = fopen(line, "r");
	linker[0] = linker[1] = 0;
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long from, to;

		if (strstr(line, "/ld-linux") &&
			sscanf(line, "%lx-%lx", &from, &to) == 2) {
			linker[0] = linker[0] ? linker[0] : from;
			linker[1] = to;
		}
	}
	if (f)
		fclose(f);
}

/* ---- the command ------------------------------------------------------------------ */

static void filter(void)
{
	struct sock_filter code[N_CALLS + 6];
	struct sock_fprog prog = {.filter = code};
	size_t n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < N_CALLS; i++)
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
			(unsigned)calls[i].nr, (unsigned char)(N_CALLS - i), 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	prog.len = (unsigned short)n;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0 &&
		(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
			prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0))
		die("seccomp");
}

static pid_t start(char **argv)
{
	const int options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE |
		PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC |
		PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
			die("ptrace");
		raise(SIGSTOP);
		/* The leak checker cannot examine a traced process. */
		setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
		filter();
		execvp(argv[0], argv);
		die(argv[0]);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 ||
		ptrace(PTRACE_SETOPTIONS, pid, 0, options) < 0 ||
		ptrace(PTRACE_CONT, pid, 0, 0) < 0)
		die("start");
	return pid;
}

static int follow(pid_t main_pid)
{
	bool running = false; /* the command has been executed */
	pid_t other = 0; /* runs another program */
	int result = 125;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		int how = PTRACE_CONT;
		int sig = 0;
		int event = status >> 16;

		if (pid == main_pid && WIFEXITED(status))
			result = WEXITSTATUS(status);
		if (pid == main_pid && WIFSIGNALED(status))
			result = 128 + WTERMSIG(status);
		if (!WIFSTOPPED(status))
			continue;
		if (event == PTRACE_EVENT_EXEC) {
			if (running)
				other = pid;
			else
				find_linker(pid);
			running = true;
		} else if (event == PTRACE_EVENT_SECCOMP) {
			if (running && pid != other && entered(pid))
				how = PTRACE_SYSCALL;
		} else if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			left(pid);
		} else if (!event && WSTOPSIG(status) != SIGSTOP) {
			sig = WSTOPSIG(status);
		}
		ptrace(how, pid, 0, sig);
	}
	return result;
}

int main(int argc, char **argv)
{
	int at = 3;

	if (argc > 3 && strcmp(argv[1], "-l") == 0) {
		want.list = fopen(argv[2], "we");
		if (!want.list)
			die(argv[2]);
	} else if (argc > 6 && strcmp(argv[1], "-e") == 0) {
		want.log = argv[2];
		unlink(want.log);
		want.call = call_named(argv[3]);
		want.n = strtoul(argv[4], NULL, 10);
		want.error = error_named(argv[5]);
		at = 6;
	} else if (argc > 3 && strcmp(argv[1], "-s") == 0) {
		want.shorten = true;
		want.most = strtoul(argv[2], NULL, 10);
	} else {
		fprintf(stderr,
			"usage: inject -l FILE|-e FILE CALL N ERROR|-s BYTES "
			"COMMAND...\n");
		return 125;
	}
	return follow(start(argv + at));
}
