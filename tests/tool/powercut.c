/*
 * Shuts the file system mounted on DIR down as a power cut would: nothing that has not
 * been written yet reaches the device. For ext4, xfs and f2fs.
 *
 *	powercut [-l] DIR
 *
 * -l writes the log of metadata first, as the file system does every few seconds, but
 * none of the data.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

/* EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN, which no header of libc has. */
#define GOING_DOWN _IOR('X', 125, uint32_t)

enum { LOG_FLUSHED = 1, LOG_LOST = 2 };

int main(int argc, char **argv)
{
	uint32_t how = argc == 3 && strcmp(argv[1], "-l") == 0 ? LOG_FLUSHED : LOG_LOST;
	const char *dir = argv[argc - 1];
	int fd;

	if (argc != (how == LOG_FLUSHED ? 3 : 2)) {
		fprintf(stderr, "usage: powercut [-l] DIR\n");
		return 2;
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, GOING_DOWN, &how) < 0) {
		fprintf(stderr, "powercut: %s: %s\n", dir, strerror(errno));
		return 1;
	}
	return 0;
}
