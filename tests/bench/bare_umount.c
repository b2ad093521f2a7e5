/* "bare_umount TARGET". See bare.h. */
#include "bare.h"

int main(int argc, char **argv)
{
	bare_args(argc, 2, "bare_umount TARGET");
	bare_must(umount2(argv[1], 0), argv[1]);
	return 0;
}
