/* "bare_rm DIR ID LINK": removes an empty writable layer. See bare.h. */
#include "bare.h"

int main(int argc, char **argv)
{
	bare_args(argc, 4, "bare_rm DIR ID LINK");
	bare_must(chdir(argv[1]), argv[1]);
	bare_must(unlink(argv[3]), argv[3]);
	bare_must(chdir(argv[2]), argv[2]);
	bare_must(unlink("link"), "link");
	bare_must(unlink("lower"), "lower");
	bare_must(rmdir("diff"), "diff");
	/* overlayfs leaves a directory in work/. */
	rmdir("work/work");
	bare_must(rmdir("work"), "work");
	bare_must(rmdir("merged"), "merged");
	bare_must(chdir(".."), "..");
	bare_must(rmdir(argv[2]), argv[2]);
	return 0;
}
