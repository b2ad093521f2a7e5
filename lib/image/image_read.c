/* SPDX-License-Identifier: ISC */
/* What sort of image a source is, and all of it read. */
#include "base/cleanup.h"
#include "image/image.h"

/* A manifest.json is docker's if it says so and what it names is there. 1, 0, -errno. */
static int is_docker(struct source *s, struct ovl_err *err)
{
	auto_buf bytes = {0};
	json_t *o = NULL;
	int rc = image_json(s, "manifest.json", NULL, UINT64_MAX, &bytes, &o, err);

	if (rc == 0) {
		const json_t *first = json_array_get(o, 0);
		const char *config = image_text(first, "Config");
		auto_part b = {0};

		if (*config && json_is_array(json_object_get(first, "Layers")))
			rc = source_find(s, config, &b, err);
	}
	json_decref(o);
	return rc > 0 || err_is_system(rc) ? rc : 0;
}

int image_is(struct source *s, struct ovl_err *err)
{
	auto_part b = {0};
	int rc = is_docker(s, err);

	return rc ? rc : source_find(s, "oci-layout", &b, err);
}

int image_read(struct source *s, const char *want, const char *platform,
	struct images *out, struct ovl_err *err)
{
	/* Newer docker saves both; its own form has the whole names. */
	int rc = is_docker(s, err);

	if (rc < 0)
		return rc;
	return rc ? image_read_docker(s, want, platform, out, err) :
		    image_read_oci(s, want, platform, out, err);
}
