/*
 * Small texts: the first byte selects the parser for the rest.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/id.h"
#include "base/path.h"
#include "base/quote.h"
#include "fuzz.h"
#include "mount/mountinfo.h"
#include "mount/mountspec.h"
#include "store/driver_overlay2.h"
#include "store/meta.h"
#include "store/names.h"
#include "store/store.h"
#include "tar/acl.h"
#include "tar/paxfix.h"
#include "tar/rawhead.h"
#include "union/whiteout.h"

static struct layer writable = LAYER_INIT;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_begin();
	writable.st = fuzz_store;
	writable.drv = driver_list[0];
	writable.meta.kind = OVL_WRITABLE;
	memset(writable.id.s, 'a', ID_LEN);
	memset(writable.meta.link, 'A', SHORT_LEN);
	return 0;
}

/* ---- files of a layer ------------------------------------------------------------- */

static void try_meta(const char *text, size_t n)
{
	struct meta m;
	struct meta again;
	char out[META_MAX];
	char twice[META_MAX];

	if (meta_parse(text, n, &m) < 0)
		return;
	meta_format(&m, out);
	if (meta_parse(out, strlen(out), &again) < 0)
		fuzz_broken("what was read cannot be written: %s", out);
	meta_format(&again, twice);
	if (strcmp(out, twice) != 0)
		fuzz_broken("read again it is another:\n%s%s", out, twice);
}

static void try_lower(const char *text, size_t n)
{
	auto_stack s = {0};
	auto_buf again = {0};

	if (overlay2_parse_lower(text, n, &s) < 0)
		return;
	if (!s.n || s.n > OVL_MAX_LOWERS)
		fuzz_broken("%u lowers", s.n);
	for (unsigned i = 0; i < s.n; i++)
		buf_addf(&again, "%s%s", i ? ":" : "", s.name[i]);
	if (again.len != n || memcmp(again.data, text, n) != 0)
		fuzz_broken("the lowers are others: %s", again.data);
}

static void try_name(const char *text, size_t n)
{
	char name[NAME_LEN_MAX + 1];
	char file[256];

	(void)n;
	/* A file name contains no slash. */
	if (!strchr(text, '/') && name_decode(text, name)) {
		if (!name_encode(name, file) || strcmp(file, text) != 0)
			fuzz_broken("a name with two files: %s", text);
	}
	if (ovl_name_valid(text)) {
		if (!name_encode(text, file) || strchr(file, '/') || *file == '.' ||
			!name_decode(file, name) || strcmp(name, text) != 0)
			fuzz_broken("a name that does not come back: %s", text);
	}
}

static void try_id(const char *text, size_t n)
{
	const char *hex = id_digest_hex(text);

	(void)n;
	if (id_is_full(text) + id_is_short(text) + id_is_prefix(text) > 1)
		fuzz_broken("an id of two kinds: %s", text);
	if (hex && !id_is_full(hex))
		fuzz_broken("a digest that is none: %s", text);
	if (id_is_full(text) && strlen(text) != ID_LEN)
		fuzz_broken("an id of other than 64 digits: %s", text);
}

/* ---- parts of a tar --------------------------------------------------------------- */

static void try_path(const char *text, size_t n)
{
	auto_buf out = {0};
	auto_buf again = {0};
	struct ovl_err err = {0};
	int rc = path_clean(text, 20, &out, &err);

	(void)n;
	fuzz_refused(rc, &err);
	if (rc < 0)
		return;
	if (out.data[0] == '/' || strstr(out.data, "//") ||
		path_clean(out.data, 20, &again, NULL) < 0 ||
		strcmp(out.data, again.data) != 0)
		fuzz_broken("not clean: %s", out.data);
	for (const char *p = out.data; p;
		p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL) {
		if (strncmp(p, "..", 2) == 0 && (!p[2] || p[2] == '/'))
			fuzz_broken("it leads out: %s", out.data);
	}
	if (out.len && !*path_base(out.data))
		fuzz_broken("no last component: %s", out.data);
}

static void try_whiteout(const char *text, size_t n)
{
	const char *hidden = NULL;
	enum wh_name kind;

	(void)n;
	if (strchr(text, '/'))
		return;
	kind = wh_parse(text, &hidden);
	if (kind == WH_NONE && strncmp(text, WH_PREFIX, strlen(WH_PREFIX)) == 0)
		fuzz_broken("no whiteout: %s", text);
	if (kind == WH_HIDES &&
		(!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0))
		fuzz_broken("a whiteout of what is no name: %s", text);
}

static struct accounts accounts;

static void try_acl(const char *text, size_t n)
{
	auto_buf out = {0};

	for (int i = 0; i < 4; i++) {
		struct ovl_err err = {0};
		int rc = acl_value(&accounts, text, n, i & 1, i & 2, &out, &err);

		fuzz_refused(rc, &err);
		if (rc > 0 && (out.len < 4 || (out.len - 4) % 8))
			fuzz_broken("an ACL of %zu bytes", out.len);
	}
}

/* The parser gets complete headers only: a block, and as much data as its size says. */
static void try_headers(const char *text, size_t n)
{
	struct rawhead r = {0};
	size_t whole = 0;
	struct ovl_err err = {0};
	int rc;

	while (n - whole >= RAWHEAD_BLOCK) {
		const unsigned char *block = (const unsigned char *)text + whole;
		long long body = rawhead_body(block);
		size_t room = n - whole - RAWHEAD_BLOCK;

		if (body < -1 || body % RAWHEAD_BLOCK)
			body = body == -1 ? -1 : (long long)(room + 1);
		if (body > 0 && (unsigned long long)body > room)
			break;
		whole += RAWHEAD_BLOCK + (body > 0 ? (size_t)body : 0);
	}
	rc = rawhead_read(&r, (const unsigned char *)text, whole, &err);
	fuzz_refused(rc, &err);
	if (rc == 0 && r.n_xattrs > RAWHEAD_MAX_XATTRS)
		fuzz_broken("%u xattrs", r.n_xattrs);
	rawhead_release(&r);
}

static void try_keyword(const char *text, size_t n)
{
	static const struct xattr_policy policies[] = {{.user = false}, {.user = true}};
	char in[XATTR_MAX_NAME + 16];
	char out[XATTR_MAX_NAME + 16];
	auto_free char *copy = strdup(text);

	xattr_decode_keyword(copy);
	if (strlen(copy) > n)
		fuzz_broken("longer than it was");
	for (int i = 0; i < 2 && n <= XATTR_MAX_NAME - 8; i++) {
		if (!xattr_in(&policies[i], text, in))
			continue;
		if (!xattr_out(&policies[i], in, out) || strcmp(out, text) != 0)
			fuzz_broken("an xattr that comes out as another: %s", text);
	}
}

/* ---- the rest --------------------------------------------------------------------- */

static void try_mountinfo(const char *text, size_t n)
{
	struct mi_all all = {.table = calloc(1, sizeof(struct mi_table)), .n = 1};
	struct mi_table *t = &all.table[0];

	buf_add(&t->text, text, n);
	if (mi_parse(t) < 0)
		fuzz_broken("no memory");
	for (size_t i = 0; i < t->n; i++) {
		if (!mi_by_id(t, t->line[i].id))
			fuzz_broken("a mount that is not found");
		if (!t->line[i].where || !t->line[i].type || !t->line[i].options)
			fuzz_broken("a mount without fields");
	}
	mi_release(&all);
}

static void try_options(const char *text, size_t n)
{
	auto_mountspec spec = {0};
	struct ovl_err err = {0};
	int rc = mountspec_build(&writable, text, false, &spec, &err);

	(void)n;
	fuzz_refused(rc, &err);
	if (rc == 0 && spec.data.len > MOUNT_DATA_MAX)
		fuzz_broken("%zu bytes of options", spec.data.len);
}

static void try_quote(const char *text, size_t n)
{
	char out[QUOTE_SIZE];
	auto_free char *base64 = ovl_base64(text, n);

	for (size_t size = 4; size < sizeof(out); size += 97) {
		struct ovl_err err = {.status = OVL_FAILED};

		ovl_escape(err.text, size, text, n);
		if (n)
			fuzz_refused(-1, &err);
		if (strlen(err.text) >= size)
			fuzz_broken("more than there is room for");
	}
	if (!base64 || strlen(base64) != (n + 2) / 3 * 4)
		fuzz_broken("base64 of another length");
	quote_into(out, text);
}

static void (*const parsers[])(const char *text, size_t n) = {
	try_meta,
	try_lower,
	try_name,
	try_id,
	try_path,
	try_whiteout,
	try_acl,
	try_headers,
	try_keyword,
	try_mountinfo,
	try_options,
	try_quote,
};
#define PARSERS (sizeof(parsers) / sizeof(parsers[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size || data[0] < 'a' || data[0] - 'a' >= (int)PARSERS)
		return -1;
	/* Allocated with the exact size, so that ASan reports a read beyond it. */
	text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	parsers[data[0] - 'a'](text, size - 1);
	free(text);
	return 0;
}
