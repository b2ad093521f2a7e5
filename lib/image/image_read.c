/* SPDX-License-Identifier: ISC */
/* Finds out what kind of image a source is, and reads it. */
#include <errno.h>

#include "base/cleanup.h"
#include "base/quote.h"
#include "image/image.h"

/*
 * A docker archive has a manifest.json whose Config is a member: 1, 0, -errno. If all
 * members it names are missing, it is an incomplete image; some layers may be absent.
 */
static int is_docker(struct source *s, struct ovl_err *err)
{
	auto_buf bytes = {0};
	auto_part b = {0};
	const char *absent = NULL;
	json_t *list = NULL;
	const json_t *item;
	size_t n;
	int rc = source_find(s, "manifest.json", &b, err);

	if (rc <= 0)
		return rc;
	rc = image_json(s, "manifest.json", NULL, UINT64_MAX, &bytes, &list, err);
	if (rc < 0)
		return err_is_system(rc) ? rc : 0;
	json_array_foreach(list, n, item)
	{
		const char *config = image_text(item, "Config");

		if (!*config || !json_object_get(item, "Layers"))
			continue;
		part_release(&b);
		rc = source_find(s, config, &b, err);
		if (rc)
			break;
		absent = config;
	}
	if (rc == 0 && absent)
		rc = err_say(err, EBADMSG,
			"'manifest.json' names the config %s, which is missing: is all of "
			"the image there? (--as layer takes it as a layer)",
			Q(absent));
	json_decref(list);
	return rc;
}

static int is_oci(struct source *s, struct ovl_err *err)
{
	auto_part b = {0};
	int rc = source_find(s, "oci-layout", &b, err);

	part_release(&b);
	return rc <= 0 ? rc : source_find(s, "index.json", &b, err);
}

int image_is(struct source *s, struct ovl_err *err)
{
	struct ovl_err why;
	int docker = is_docker(s, &why);
	int oci = docker > 0 || err_is_system(docker) ? 0 : is_oci(s, err);

	if (oci || docker >= 0)
		return oci ? oci : docker;
	*err = why;
	return docker;
}

int image_read(struct source *s, const char *want, const char *platform,
	struct images *out, struct ovl_err *err)
{
	/* Newer docker writes both forms; only its own has the full names. */
	int rc = is_docker(s, err);

	if (err_is_system(rc))
		return rc;
	return rc > 0 ? image_read_docker(s, want, platform, out, err) :
			image_read_oci(s, want, platform, out, err);
}
