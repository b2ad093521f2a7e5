/*
 * Runs a command to which ustat(2) is refused, as container runtimes do; with -k keyctl(2)
 * too:
 *
 *	noustat [-k] COMMAND...
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_ustat
#define SYS_ustat -1 /* there is none to refuse */
#endif

int main(int argc, char **argv)
{
	int keys = argc > 2 && strcmp(argv[1], "-k") == 0;
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ustat, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, keys ? SYS_keyctl : -1, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {5, filter};

	if (argc < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
		perror("noustat");
		return 99;
	}
	argv += 1 + keys;
	execvp(*argv, argv);
	perror(*argv);
	return 99;
}
