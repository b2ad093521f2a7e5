/* SPDX-License-Identifier: ISC */
/* Runs a command in namespaces of its own; see spawn.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "run/interp.h"
#include "run/spawn.h"

/* ---- what the processes inside report --------------------------------------------- */

enum what {
	STARTED, /* sent by the command before exec: the socket passes its pid */
	CHANGED, /* value is a status of waitpid(2) */
	CHANGED_IN_FRONT, /* the same, while a process group inside has the terminal */
	FAILED /* value is a SPAWN_*; err says why */
};

struct report {
	enum what what;
	int value;
	struct ovl_err err;
};

static void report(int sock, enum what what, int value, const struct ovl_err *err)
{
	struct report r = {.what = what, .value = value};

	if (err)
		r.err = *err;
	while (send(sock, &r, sizeof(r), MSG_NOSIGNAL) < 0 && errno == EINTR)
		continue;
}

static _Noreturn void fail(int sock, int status, const struct ovl_err *err)
{
	report(sock, FAILED, status, err);
	_exit(status);
}

/* ---- signals ---------------------------------------------------------------------- */

/* Signals that the parent receives while the command runs. The first ones end it if they
 * come before that. */
static const int held[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM,
	SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, SIGWINCH};

enum { N_ENDS = 4, N_HELD = sizeof(held) / sizeof(held[0]) };

static void hold(sigset_t *set, size_t n)
{
	sigemptyset(set);
	for (size_t i = 0; i < n; i++)
		sigaddset(set, held[i]);
}

/* ---- the command ------------------------------------------------------------------ */

/* Restores default actions: handlers of this program must not run for signals that were
 * blocked, and the command must not ignore what only this program ignores. */
static void restore_signals(const sigset_t *mask)
{
	for (size_t i = 0; i < N_HELD; i++) {
		if (signal(held[i], SIG_DFL) == SIG_IGN)
			signal(held[i], SIG_IGN);
	}
	signal(SIGXFSZ, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
}

static _Noreturn void be_command(const struct spawn *s, const sigset_t *mask, int sock)
{
	struct rlimit files;
	struct ovl_err err;
	char needs[PATH_MAX];
	int why;

	report(sock, STARTED, 0, NULL);
	umask(s->umask);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = s->nofile;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (s->dir && chdir(s->dir) < 0) {
		err_sys(&err, errno, "cannot change to directory %s", Q(s->dir));
		fail(sock, SPAWN_FAILED, &err);
	}
	restore_signals(mask);
	execvp(s->argv[0], s->argv);
	why = errno;
	if (why == ENOENT && interp_missing(s->argv[0], needs))
		err_say(&err, why,
			"cannot run %s: it needs %s, which does not exist here",
			Q(s->argv[0]), Q(needs));
	else
		err_sys(&err, why, "cannot run %s", Q(s->argv[0]));
	fail(sock, why == ENOENT ? SPAWN_NOT_FOUND : SPAWN_CANNOT_RUN, &err);
}

/* ---- pid 1 ------------------------------------------------------------------------ */

/* Orphans in the namespace become children of pid 1. */
static _Noreturn void reap(pid_t command, int tty, int sock)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, WUNTRACED);

		if (pid < 0 && errno != EINTR)
			_exit(SPAWN_FAILED);
		if (pid != command)
			continue;
		/* Process groups outside have no number here. */
		report(sock, tcgetpgrp(tty) > 0 ? CHANGED_IN_FRONT : CHANGED, status,
			NULL);
		if (!WIFSTOPPED(status))
			_exit(0);
	}
}

/* Closes everything that the command could reach through /proc/1/fd, such as the store or
 * the original of a view. */
static void close_others(int sock, int tty)
{
	unsigned low = (unsigned)(tty < 0 || sock < tty ? sock : tty);
	unsigned high = (unsigned)(sock < tty ? tty : sock);

	syscall(SYS_close_range, STDERR_FILENO + 1, low - 1, 0);
	syscall(SYS_close_range, low + 1, high - 1, 0);
	syscall(SYS_close_range, high + 1, ~0U, 0);
}

/* The parent may have died before prctl(2). */
static bool is_orphan(int sock)
{
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return recv(sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static _Noreturn void be_first(
	const struct spawn *s, const sigset_t *mask, int tty, int sock)
{
	struct ovl_err err;
	pid_t command;

	if (is_orphan(sock))
		_exit(SPAWN_FAILED);
	if (s->enter(s->ctx, &err) < 0)
		fail(sock, SPAWN_FAILED, &err);
	close_others(sock, tty);
	command = fork();
	if (command == 0)
		be_command(s, mask, sock);
	if (command < 0) {
		err_sys(&err, errno, "cannot make a process");
		fail(sock, SPAWN_FAILED, &err);
	}
	reap(command, tty, sock);
}

/* Like fork(2), in new namespaces. No flag shares memory, so no stack is needed. */
static pid_t fork_inside(void)
{
	unsigned long flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | SIGCHLD;

#ifdef __s390__
	return (pid_t)syscall(SYS_clone, NULL, flags, NULL, NULL, NULL);
#else
	return (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
#endif
}

/* ---- the parent ------------------------------------------------------------------- */

struct watch {
	int sock;
	int signals; /* signalfd(2) */
	int tty; /* the controlling terminal; -1: none */
	pid_t first;
	int command; /* a pidfd; -1: not started yet */
	sigset_t ends; /* signals that end this process if they come before the command is
		        * started */
	int early; /* the signal that came before */
	bool ended;
	int status;
	int failed; /* a SPAWN_*; 0: no */
	struct ovl_err *err;
};

static void send_on(const struct watch *w, int sig)
{
	syscall(SYS_pidfd_send_signal, w->command, sig, NULL, 0);
}

static void take_signal(struct watch *w)
{
	struct signalfd_siginfo si;
	int sig;

	if (read(w->signals, &si, sizeof(si)) != sizeof(si))
		return;
	sig = (int)si.ssi_signo;
	if (w->command < 0) {
		if (sigismember(&w->ends, sig) && !w->early) {
			w->early = sig;
			kill(w->first, SIGKILL);
		}
		return;
	}
	/* The terminal has sent it to the command too; but on a hangup only the leader of
	 * the session is sure to get it. */
	if (si.ssi_code == SI_KERNEL && sig != SIGHUP && sig != SIGCONT)
		return;
	send_on(w, sig);
}

static void give_terminal(const struct watch *w, pid_t group)
{
	sigset_t ttou;
	sigset_t old;

	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	sigprocmask(SIG_BLOCK, &ttou, &old);
	tcsetpgrp(w->tty, group);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

/* Stops this process, for which its shell waits, because the command has stopped. A shell
 * inside had given the terminal to another process group. */
static void stop_too(const struct watch *w, bool in_front)
{
	pid_t front = in_front ? tcgetpgrp(w->tty) : -1;
	sigset_t pending;

	/* The command has been continued already, together with its process group. */
	if (sigpending(&pending) == 0 && sigismember(&pending, SIGCONT))
		return;
	raise(SIGSTOP);
	if (front > 0 && tcgetpgrp(w->tty) == getpgrp())
		give_terminal(w, front);
	send_on(w, SIGCONT);
}

/* A shell inside cannot give the terminal back, because it does not see the process group
 * that had it. */
static void regain_terminal(const struct watch *w)
{
	pid_t front = w->tty < 0 ? -1 : tcgetpgrp(w->tty);

	if (front > 0 && kill(-front, 0) < 0 && errno == ESRCH)
		give_terminal(w, getpgrp());
}

static void take_change(struct watch *w, int status, bool in_front)
{
	if (WIFSTOPPED(status))
		stop_too(w, in_front);
	else
		w->status = WIFEXITED(status) ? WEXITSTATUS(status) :
						128 + WTERMSIG(status);
}

static void take_report(struct watch *w)
{
	union {
		char space[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct report r;
	struct iovec data = {&r, sizeof(r)};
	struct msghdr msg = {.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(w->sock, &msg, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	struct ucred from = {0};

	if (n < 0 && errno == EINTR)
		return;
	if (n != sizeof(r)) {
		w->ended = true;
		return;
	}
	if (c && c->cmsg_type == SCM_CREDENTIALS)
		memcpy(&from, CMSG_DATA(c), sizeof(from));
	if (r.what == STARTED)
		w->command = (int)syscall(SYS_pidfd_open, from.pid, 0);
	if (r.what == CHANGED || r.what == CHANGED_IN_FRONT)
		take_change(w, r.value, r.what == CHANGED_IN_FRONT);
	if (r.what == FAILED) {
		w->failed = r.value;
		*w->err = r.err;
	}
}

static void watch(struct watch *w)
{
	struct pollfd fds[] = {
		{.fd = w->sock, .events = POLLIN}, {.fd = w->signals, .events = POLLIN}};

	while (!w->ended) {
		if (poll(fds, 2, -1) < 0)
			continue;
		/* Check first whether the receiver still exists. */
		if (fds[0].revents)
			take_report(w);
		else if (fds[1].revents)
			take_signal(w);
	}
	/* Signals that came before the command ended do not concern what follows. */
	while (poll(&fds[1], 1, 0) > 0)
		take_signal(w);
	while (waitpid(w->first, NULL, 0) < 0 && errno == EINTR)
		continue;
	regain_terminal(w);
}

static int start(const struct spawn *s, const sigset_t *mask, struct watch *w)
{
	int on = 1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(w->err, errno, "cannot make a socket");
	w->sock = pair[0];
	if (setsockopt(w->sock, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0)
		w->first = fork_inside();
	if (w->first == 0) {
		close(w->sock);
		close(w->signals);
		be_first(s, mask, w->tty, pair[1]);
	}
	close_fdp(&pair[1]);
	return w->first < 0 ? err_sys(w->err, errno, "cannot make namespaces") : 0;
}

static void watch_end(struct watch *w)
{
	close_fdp(&w->sock);
	close_fdp(&w->signals);
	close_fdp(&w->tty);
	close_fdp(&w->command);
}
#define auto_watch __attribute__((cleanup(watch_end))) struct watch

static int run_watched(const struct spawn *s, const sigset_t *mask, struct watch *w)
{
	int rc = start(s, mask, w);

	if (rc < 0)
		return rc;
	watch(w);
	return w->early ? err_stopped(w->err) : w->failed ? -ECHILD : 0;
}

int spawn_run(const struct spawn *s, int *status, struct ovl_err *err)
{
	auto_watch w = {.sock = -1, .first = -1, .command = -1, .err = err};
	sigset_t set;
	sigset_t mask;
	int rc;

	hold(&w.ends, N_ENDS);
	hold(&set, N_HELD);
	sigprocmask(SIG_BLOCK, &set, &mask);
	w.signals = signalfd(-1, &set, SFD_CLOEXEC);
	rc = w.signals < 0 ? err_sys(err, errno, "cannot wait for signals") : 0;
	w.tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	/* If pid 1 is killed, no status of the command arrives. */
	w.status = 128 + SIGKILL;
	if (rc == 0)
		rc = run_watched(s, &mask, &w);
	*status = rc == 0 ? w.status : w.failed ? w.failed : SPAWN_FAILED;
	sigprocmask(SIG_SETMASK, &mask, NULL);
	if (w.early)
		raise(w.early);
	return rc;
}
