#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "config.h"
#include "digest.h"
#include "fs.h"
#include "names.h"
#include "quote.h"

static const char configs[] = CONFIGS;

static int by_text(const void *a, const void *b)
{
	return memcmp(a, b, ID_LEN);
}

int config_list(const struct layer *l, struct buf *out, struct ovl_err *err)
{
	auto_fsdir d = {.fd = -1};
	const char *name;
	int r;

	buf_clear(out);
	if (fs_dir_open(&d, l->fd, configs) < 0)
		return errno == ENOENT ? 0 :
					 err_sys(err, errno, "cannot read '%s'", configs);
	while ((r = fs_dir_next(&d, &name, NULL)) > 0) {
		if (id_is_full(name))
			buf_addf(out, "%s\n", name);
	}
	if (r < 0)
		return err_sys(err, errno, "cannot read '%s'", configs);
	if (out->failed)
		return err_nomem(err);
	if (out->len)
		qsort(out->data, out->len / (ID_LEN + 1), ID_LEN + 1, by_text);
	return 0;
}

/* Which one? 1 and hex, 0 none. */
static int choose(const struct layer *l, const char *what, char hex[ID_LEN + 1],
	struct ovl_err *err)
{
	auto_buf list = {0};
	int rc = config_list(l, &list, err);

	if (rc < 0 || !list.len)
		return rc;
	if (what) {
		rc = names_config(l, what, hex, err);
		if (rc)
			return rc;
	}
	if (what && list.len > ID_LEN + 1)
		return err_status(err, OVL_USAGE,
			"layer %s is the top of %zu images: give the name of one",
			Q(what), list.len / (ID_LEN + 1));
	memcpy(hex, list.data, ID_LEN);
	hex[ID_LEN] = '\0';
	return 1;
}

/* 1 and its bytes, 0 it is not what we write. */
static int read_config(
	const struct layer *l, const char *hex, struct buf *out, struct ovl_err *err)
{
	char path[sizeof(configs) + ID_LEN + 1];

	snprintf(path, sizeof(path), "%s/%s", configs, hex);
	if (fs_read_file(l->fd, path, CONFIG_MAX, out) == 0)
		return 1;
	if (!err_is_system(-errno))
		return 0;
	return err_sys(err, errno, "cannot read '%s' of layer %.12s", path, l->id.s);
}

int config_is_sound(const struct layer *l, const char *hex, struct ovl_err *err)
{
	char is[ID_LEN + 1];
	auto_buf text = {0};
	int rc = read_config(l, hex, &text, err);

	if (rc <= 0)
		return rc;
	rc = digest_bytes(text.data, text.len, is, err);
	return rc < 0 ? rc : strcmp(is, hex) == 0;
}

int config_get(const struct layer *l, const char *what, struct buf *out,
	char hex[ID_LEN + 1], struct ovl_err *err)
{
	int rc = choose(l, what, hex, err);

	if (rc <= 0)
		return rc;
	rc = read_config(l, hex, out, err);
	return rc ?
		rc :
		err_say(err, EUCLEAN, "the config of layer %.12s is damaged", l->id.s);
}
