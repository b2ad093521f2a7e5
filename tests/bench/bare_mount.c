/* "bare_mount DIR ID": mounts a writable layer at its "merged". See bare.h. */
#include "bare.h"

int main(int argc, char **argv)
{
	char lower[BARE_MAX], options[2 * BARE_MAX], target[256];

	bare_args(argc, 3, "bare_mount DIR ID");
	bare_must(chdir(argv[1]), argv[1]);
	bare_read(argv[2], "lower", lower);
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s/diff,workdir=%s/work",
		lower, argv[2], argv[2]);
	snprintf(target, sizeof(target), "%s/merged", argv[2]);
	bare_must(mount("overlay", target, "overlay", 0, options), target);
	return 0;
}
