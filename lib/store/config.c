/* SPDX-License-Identifier: ISC */
/* The image configs that a layer keeps. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fs.h"
#include "store/config.h"
#include "store/layer_foreign.h"
#include "store/names.h"
#include "store/store.h"

static const char configs[] = CONFIGS;

static int by_text(const void *a, const void *b)
{
	return memcmp(a, b, ID_LEN);
}

int config_list(const struct layer *l, struct buf *out, struct ovl_err *err)
{
	auto_fsdir d = fs_dir_at(l->foreign ? -ENOENT : l->fd, configs);
	const char *name;
	int r;

	buf_clear(out);
	if (l->foreign)
		layer_foreign_configs(l, out);
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

/* ---- which one? ------------------------------------------------------------------- */

static const char by_digest[] = "@sha256:";

/* The digest at the end of the operand; NULL: none. */
static const char *asked_for(const char *what)
{
	size_t n = strlen(what);
	size_t tail = sizeof(by_digest) - 1 + ID_LEN;
	const char *at = what + n - tail;

	if (n <= tail || strncmp(at, by_digest, sizeof(by_digest) - 1) != 0)
		return NULL;
	at += sizeof(by_digest) - 1;
	return id_is_full(at) ? at : NULL;
}

/* The operand without its digest, for the caller to free; NULL if it has none, or without
 * memory. */
static char *without_digest(const char *what)
{
	const char *hex = asked_for(what);

	return hex ? strndup(what, (size_t)(hex - what) - (sizeof(by_digest) - 1)) : NULL;
}

/* A layer's own name may end in a digest too, and takes precedence. */
int config_find_layer(struct ovl_store *st, const char *what, struct layer_ref *ref,
	struct ovl_err *err)
{
	auto_free char *layer = without_digest(what);
	int rc = layer_find(st, what, ref, err);

	return rc < 0 && layer && err->status == OVL_NOLAYER ?
		layer_find(st, layer, ref, err) :
		rc;
}

int config_open_layer(
	struct ovl_store *st, const char *what, struct layer *out, struct ovl_err *err)
{
	auto_free char *layer = without_digest(what);
	int rc = layer_open(st, what, LOCK_SH, out, err);

	return rc < 0 && layer && err->status == OVL_NOLAYER ?
		layer_open(st, layer, LOCK_SH, out, err) :
		rc;
}

static int stat_config(const struct layer *l, const char *hex, struct stat *sb)
{
	auto_fd fd = -1;

	if (!l->foreign)
		return fstatat(l->fd, P("%s/%s", configs, hex), sb, AT_SYMLINK_NOFOLLOW);
	fd = layer_foreign_config_open(l, hex);
	return fd < 0 ? -1 : fstat(fd, sb);
}

/* The config that was imported last. */
static int latest(const struct layer *l, const struct buf *list, char hex[ID_LEN + 1],
	struct ovl_err *err)
{
	struct timespec best = {.tv_sec = INT64_MIN};

	for (size_t at = 0; at < list->len; at += ID_LEN + 1) {
		char name[ID_LEN + 1];
		struct stat sb;

		snprintf(name, sizeof(name), "%.*s", ID_LEN, list->data + at);
		if (stat_config(l, name, &sb) < 0)
			return err_sys(err, errno, "cannot stat config %.12s", name);
		if (fs_time_order(&sb.st_mtim, &best) < 0)
			continue;
		best = sb.st_mtim;
		memcpy(hex, name, sizeof(name));
	}
	return list->len > ID_LEN + 1 ? 2 : 1;
}

/* The config that the layer got with that name. If the commit that gave the name is not
 * finished, the note of it is still in staging/. */
static int config_named(const struct layer *l, const char *what, char hex[ID_LEN + 1],
	struct ovl_err *err)
{
	struct layer_ref self = layer_ref_of(l);
	struct layer_ref owner;
	struct layer_ref leads;
	auto_fd noted = -1;
	char file[256];
	int r = names_find(l->st, what, &owner, &leads, err);

	if (r < 0)
		return r;
	if (r > 0 && layer_ref_same(&owner, &self) && name_encode(what, file))
		noted = names_noted_in(l->st, &owner, &leads, file);
	return names_config(noted >= 0 ? noted : l->fd, what, hex, err);
}

int config_choose(const struct layer *l, const char *what, char hex[ID_LEN + 1],
	struct ovl_err *err)
{
	auto_buf list = {0};
	const char *asked;
	/* First by the name, as there may be a config for each of many names. */
	int rc = !l->foreign && fs_exists(l->fd, configs) > 0 ?
		config_named(l, what, hex, err) :
		0;

	if (rc == 0)
		rc = config_list(l, &list, err);
	if (rc == 0 && l->foreign && list.len)
		rc = layer_foreign_config(l, what, hex);
	if (rc)
		return rc;
	asked = asked_for(what);
	if (asked && !(list.len && strstr(list.data, asked))) {
		struct layer_ref self = layer_ref_of(l);
		struct layer_ref owner;

		/* The digest may be part of the layer's name. */
		rc = names_lookup(l->st, what, &owner, err);
		if (rc < 0 || (rc == 0 || !layer_ref_same(&owner, &self)))
			return rc < 0 ? rc :
					err_status(err, OVL_NOLAYER,
						"layer %.12s has no config sha256:%s",
						l->id.s, asked);
		asked = NULL;
	}
	if (asked)
		memcpy(hex, asked, ID_LEN + 1);
	return asked ? 1 : list.len ? latest(l, &list, hex, err) : 0;
}

/* ---- what is in it? --------------------------------------------------------------- */

/* Reads a config: 1 and its bytes, 0 if ovlctl cannot have written it. */
static int read_config(
	const struct layer *l, const char *hex, struct buf *out, struct ovl_err *err)
{
	const char *path = P("%s/%s", configs, hex);
	auto_fd fd = l->foreign ? layer_foreign_config_open(l, hex) : -1;
	int rc = l->foreign ? (fd < 0 ? -1 : fs_read_fd(fd, CONFIG_MAX, out)) :
			      fs_read_file(l->fd, path, CONFIG_MAX, out);

	if (rc == 0)
		return 1;
	if (!err_is_system(-errno))
		return 0;
	return err_sys(
		err, errno, "cannot read config %.12s of layer %.12s", hex, l->id.s);
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
	int rc = config_choose(l, what, hex, err);

	if (rc == 2)
		store_warn(l->st,
			"layer %.12s is the top of several images: using the latest "
			"config, sha256:%s",
			l->id.s, hex);
	if (rc <= 0)
		return rc;
	rc = read_config(l, hex, out, err);
	return rc ?
		rc :
		err_say(err, EUCLEAN, "the config of layer %.12s is damaged", l->id.s);
}
