/* Locks: who gets one, who waits, for how long, and which messages there are. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>

#include "store/lock.h"
#include "store/store.h"
#include "unit.h"

static int open_dir(void)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* Another process that holds the lock for so many milliseconds; 0: until it is killed. */
static pid_t holder(int op, long ms)
{
	int up[2];
	char c;
	pid_t pid;

	ck_assert_int_eq(pipe(up), 0);
	pid = fork();
	if (pid == 0) {
		const struct timespec t = {ms ? 0 : 60, ms * 1000000};
		int fd = open_dir();

		if (flock(fd, op) == 0 && write(up[1], "", 1) == 1)
			nanosleep(&t, NULL);
		_exit(0);
	}
	ck_assert_int_eq(read(up[0], &c, 1), 1);
	close(up[0]);
	close(up[1]);
	return pid;
}

static void release(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static char told[256];
static int n_told;

static void note(void *ctx, enum ovl_note kind, const char *line)
{
	(void)ctx;
	(void)kind;
	snprintf(told, sizeof(told), "%s", line);
	n_told++;
}

START_TEST(tried)
{
	int a = (scratch(), open_dir());
	int b = open_dir();

	ck_assert_int_eq(lock_try(a, LOCK_SH), 1);
	ck_assert_int_eq(lock_try(b, LOCK_SH), 1);
	ck_assert_int_eq(lock_try(b, LOCK_EX), 0);
	ck_assert_int_eq(lock_try(a, LOCK_UN), 1);
	ck_assert_int_eq(lock_try(b, LOCK_EX), 1);
	ck_assert_int_eq(lock_try(a, LOCK_SH), 0);
	close(b);
	ck_assert_int_eq(lock_try(a, LOCK_SH), 1);
	close(a);
	ck_assert_int_eq(lock_try(a, LOCK_SH), -EBADF);
	scratch_end();
}
END_TEST

static const struct ovl_store patient = {.cfg = {.wait = 60}};

START_TEST(without_waiting)
{
	struct ovl_store st = {.cfg = {.nowait = true, .note = note}};
	struct ovl_err err = {0};
	int fd = (scratch(), open_dir());
	pid_t pid = holder(LOCK_EX, 0);
	double began = seconds();

	ck_assert_int_eq(lock_take(&st, fd, LOCK_SH, "layer 'x'", &err), -EBUSY);
	ck_assert_int_eq(err.status, OVL_BUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "layer 'x' is in use by another process"));
	ck_assert_int_eq(
		lock_take(&patient, fd, LOCK_EX | LOCK_NB, "layer 'x'", &err), -EBUSY);
	ck_assert(seconds() - began < 0.9);
	ck_assert_int_eq(n_told, 0);
	/* lock_moment() waits for a second. */
	ck_assert_int_eq(lock_moment(&st, fd, LOCK_EX, "names", &err), -EBUSY);
	ck_assert(seconds() - began > 0.9);
	release(pid);
	pid = holder(LOCK_EX, 100);
	ck_assert_int_eq(lock_moment(&st, fd, LOCK_EX, "names", &err), 0);
	release(pid);
	scratch_end();
}
END_TEST

START_TEST(waited)
{
	struct ovl_store st = {.cfg = {.note = note}};
	struct ovl_err err = {0};
	int fd = (scratch(), open_dir());
	pid_t pid;

	/* Without a limit, and with one; one message. */
	for (st.cfg.wait = 0; st.cfg.wait <= 60; st.cfg.wait += 60) {
		n_told = 0;
		pid = holder(LOCK_EX, 100);
		ck_assert_int_eq(lock_take(&st, fd, LOCK_EX, "layer 'x'", &err), 0);
		ck_assert_int_eq(n_told, 1);
		ck_assert_ptr_nonnull(strstr(told, "layer 'x'"));
		ck_assert_int_eq(flock(fd, LOCK_UN), 0);
		release(pid);
	}
	/* A free lock is taken without a message. */
	n_told = 0;
	ck_assert_int_eq(lock_take(&st, fd, LOCK_EX, "layer 'x'", &err), 0);
	ck_assert_int_eq(n_told, 0);
	ck_assert_int_eq(flock(fd, LOCK_UN), 0);
	/* Not longer than the limit. */
	st.cfg.wait = 1;
	pid = holder(LOCK_SH, 0);
	ck_assert_int_eq(lock_take(&st, fd, LOCK_EX, "layer 'x'", &err), -EBUSY);
	ck_assert_int_eq(err.status, OVL_BUSY);
	ck_assert_int_eq(lock_take(&st, fd, LOCK_SH, "layer 'x'", &err), 0);
	release(pid);
	scratch_end();
}
END_TEST

static atomic_int stop;

static void on_alarm(int sig)
{
	(void)sig;
	stop = 1;
}

START_TEST(stopped)
{
	struct ovl_store st = {.cfg = {.stop = &stop}};
	const struct sigaction act = {.sa_handler = on_alarm};
	struct ovl_err err = {0};
	int fd = (scratch(), open_dir());
	pid_t pid = holder(LOCK_EX, 0);

	sigaction(SIGALRM, &act, NULL);
	for (st.cfg.wait = 0; st.cfg.wait <= 60; st.cfg.wait += 60) {
		double began = seconds();

		stop = 0;
		ualarm(100000, 0);
		ck_assert_int_eq(lock_take(&st, fd, LOCK_EX, "layer 'x'", &err), -EINTR);
		ck_assert(seconds() - began < 10);
	}
	/* A free lock is taken nevertheless. */
	release(pid);
	ck_assert_int_eq(lock_take(&st, fd, LOCK_EX, "layer 'x'", &err), 0);
	scratch_end();
}
END_TEST

/* Two locks, all or none. */
struct both {
	int a;
	int b;
	int calls;
};

static int take_both(void *ctx, struct ovl_err *err)
{
	struct both *t = ctx;
	int rc = lock_take(&patient, t->a, LOCK_EX | LOCK_NB, "a", err);

	t->calls++;
	if (rc == 0)
		rc = lock_take(&patient, t->b, LOCK_EX | LOCK_NB, "b", err);
	if (rc < 0)
		flock(t->a, LOCK_UN);
	return rc;
}

static int fails(void *ctx, struct ovl_err *err)
{
	++*(int *)ctx;
	return err_sys(err, EIO, "cannot look");
}

START_TEST(together)
{
	struct ovl_store st = {.cfg = {.wait = 0, .note = note}};
	struct ovl_err err = {0};
	struct both t = {(scratch(), mkdir("a", 0700), open("a", O_RDONLY)), -1, 0};
	pid_t pid;
	int n = 0;

	t.b = open_dir();
	pid = holder(LOCK_EX, 0);
	ck_assert_int_eq(lock_all(&st, take_both, &t, &err), -EBUSY);
	ck_assert_int_eq(t.calls, 1);
	st.cfg.wait = 1;
	ck_assert_int_eq(lock_all(&st, take_both, &t, &err), -EBUSY);
	ck_assert_int_gt(t.calls, 2);
	ck_assert_int_eq(lock_try(open("a", O_RDONLY), LOCK_EX), 1);
	st.cfg.nowait = true;
	t.calls = 0;
	ck_assert_int_eq(lock_all(&st, take_both, &t, &err), -EBUSY);
	ck_assert_int_eq(t.calls, 1);
	release(pid);
	/* Other errors are returned at once. */
	st.cfg = (struct ovl_config){.wait = 60};
	ck_assert_int_eq(lock_all(&st, fails, &n, &err), -EIO);
	ck_assert_int_eq(n, 1);
	scratch_end();
}
END_TEST

START_TEST(together_in_time)
{
	struct ovl_store st = {.cfg = {.wait = 60, .note = note}};
	struct ovl_err err = {0};
	struct both t = {(scratch(), mkdir("a", 0700), open("a", O_RDONLY)), -1, 0};
	pid_t pid;

	t.b = open_dir();
	pid = holder(LOCK_EX, 100);
	ck_assert_int_eq(lock_all(&st, take_both, &t, &err), 0);
	ck_assert_int_eq(n_told, 1);
	ck_assert_int_eq(lock_try(open_dir(), LOCK_SH), 0);
	release(pid);
	scratch_end();
}
END_TEST

UNIT("lock", tried, without_waiting, waited, stopped, together, together_in_time)
