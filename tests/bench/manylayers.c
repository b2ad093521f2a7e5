/*
 * "manylayers STORE PARENT COUNT" creates COUNT writable layers on PARENT, as
 * "ovlctl --sync=none create" does, in one process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "ovl.h"

int main(int argc, char **argv)
{
	struct ovl_config cfg = {.sync = OVL_SYNC_NONE};
	struct ovl_store *st;
	struct ovl_err err = {0};
	struct ovl_create req = {.parent = argv[argc > 2 ? 2 : 0]};
	struct ovl_id id;
	int rc;

	if (argc != 4) {
		fputs("usage: manylayers STORE PARENT COUNT\n", stderr);
		return 2;
	}
	cfg.root = argv[1];
	umask(0);
	rc = ovl_open(&st, &cfg, OVL_MAKE, &err);
	if (rc < 0) {
		fprintf(stderr, "manylayers: %s\n", err.text);
		return 1;
	}
	for (long n = atol(argv[3]); n > 0 && rc == 0; n--)
		rc = ovl_create(st, &req, &id, &err);
	if (rc < 0)
		fprintf(stderr, "manylayers: %s\n", err.text);
	ovl_close(st);
	return rc < 0;
}
