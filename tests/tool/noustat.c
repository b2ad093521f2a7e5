/*
 * Runs a command for which ustat(2) fails, as in a container; with -k also keyctl(2).
 * With -m also statmount(2) and listmount(2), as before Linux 6.8; with -n also all of
 * ioctl(2), of which Linux before 6.12 lacks the requests that go from one mount
 * namespace to the next.
 *
 *	noustat [-k|-m|-n] COMMAND...
 */
#include <stddef.h>
#include <stdio.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_ustat
#define SYS_ustat -1 /* this architecture has no ustat(2) */
#endif
#define STATMOUNT 457
#define LISTMOUNT 458

int main(int argc, char **argv)
{
	int how = argc > 2 && argv[1][0] == '-' ? argv[1][1] : 0;
	int mounts = how == 'm' || how == 'n';
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ustat, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, how == 'k' ? SYS_keyctl : -1, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mounts ? STATMOUNT : -1, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mounts ? LISTMOUNT : -1, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, how == 'n' ? SYS_ioctl : -1, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	if (argc < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
		perror("noustat");
		return 99;
	}
	argv += how ? 2 : 1;
	execvp(*argv, argv);
	perror(*argv);
	return 99;
}
