/* "bare_create DIR PARENT ID LINK": creates a writable layer on PARENT. See bare.h. */
#include "bare.h"

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	bare_must(fd, path);
	bare_must(write(fd, text, strlen(text)), path);
	close(fd);
}

int main(int argc, char **argv)
{
	char link[BARE_MAX], lower[BARE_MAX], all[2 * BARE_MAX + 8], to[256];

	bare_args(argc, 5, "bare_create DIR PARENT ID LINK");
	bare_must(chdir(argv[1]), argv[1]);
	bare_read(argv[2], "link", link);
	bare_read(argv[2], "lower", lower);
	snprintf(all, sizeof(all), "l/%s%s%s", link, *lower ? ":" : "", lower);
	snprintf(to, sizeof(to), "../%s/diff", argv[3]);
	bare_must(mkdir(argv[3], 0700), argv[3]);
	bare_must(symlinkat(to, AT_FDCWD, argv[4]), argv[4]);
	bare_must(chdir(argv[3]), argv[3]);
	bare_must(mkdir("diff", 0755), "diff");
	bare_must(mkdir("work", 0700), "work");
	bare_must(mkdir("merged", 0700), "merged");
	put("link", argv[4] + 2);
	put("lower", all);
	return 0;
}
