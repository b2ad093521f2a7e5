#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "content/handover.h"
#include "unit.h"

static struct handover h;

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void give(int *fd, uint64_t at)
{
	*fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(*fd, 0);
	handover_give(&h, at, *fd);
}

START_TEST(in_order)
{
	int fd[4];

	handover_begin(&h);
	ck_assert_int_eq(handover_take(&h, 0), -1);
	for (unsigned i = 0; i < 4; i++)
		give(&fd[i], 100 * i);
	ck_assert_int_eq(handover_take(&h, 50), -1);
	ck_assert(!is_open(fd[0]));
	ck_assert_int_eq(handover_take(&h, 200), fd[2]);
	ck_assert(!is_open(fd[1]));
	ck_assert(is_open(fd[2]));
	close(fd[2]);
	handover_end(&h);
	ck_assert(!is_open(fd[3]));
}
END_TEST

START_TEST(full)
{
	int fd;

	h = (struct handover){0};
	handover_begin(&h);
	h.most = 2;
	for (unsigned i = 0; i < 3; i++)
		give(&fd, i);
	ck_assert(!is_open(fd));
	ck_assert_int_eq(handover_take(&h, 2), -1);
	give(&fd, 3);
	ck_assert_int_eq(handover_take(&h, 3), fd);
	close(fd);
	handover_end(&h);
}
END_TEST

#define MANY 20000

static void *give_many(void *ctx)
{
	int fd;

	(void)ctx;
	for (uint64_t i = 0; i < MANY; i++)
		give(&fd, i);
	return NULL;
}

START_TEST(between_threads)
{
	pthread_t thread;

	h = (struct handover){0};
	handover_begin(&h);
	h.most = 16;
	ck_assert_int_eq(pthread_create(&thread, NULL, give_many, NULL), 0);
	for (uint64_t i = 0; i < MANY; i++) {
		int fd = handover_take(&h, i);

		if (fd >= 0)
			ck_assert_int_eq(close(fd), 0);
	}
	pthread_join(thread, NULL);
	handover_end(&h);
	ck_assert_uint_eq(h.given, h.taken);
}
END_TEST

UNIT("handover", in_order, full, between_threads)
