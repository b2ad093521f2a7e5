/* "bare_ls DIR": prints each layer and its "link". See bare.h. */
#include <dirent.h>

#include "bare.h"

int main(int argc, char **argv)
{
	char link[BARE_MAX];
	struct dirent *e;
	DIR *d;

	bare_args(argc, 2, "bare_ls DIR");
	bare_must(chdir(argv[1]), argv[1]);
	d = opendir(".");
	bare_must(d ? 0 : -1, argv[1]);
	while ((e = readdir(d))) {
		if (strlen(e->d_name) != 64)
			continue;
		bare_read(e->d_name, "link", link);
		printf("%s %s\n", e->d_name, link);
	}
	closedir(d);
	return 0;
}
