#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/decode.h"
#include "codec/encode.h"
#include "fuzz.h"
#include "tarbits.h"

#define BLOCK       512
#define MAX_MEMBERS 256

/* POSIX.1-2017, pax, "ustar Interchange Format". */
enum {
	NAME = 0,
	MODE = 100,
	SIZE = 124,
	MTIME = 136,
	SUM = 148,
	TYPE = 156,
	LINK = 157,
	MAGIC = 257,
	PREFIX = 345
};

struct field {
	unsigned at, n;
};

static const struct field fields[] = {{NAME, 100}, {MODE, 8}, {108, 8}, {116, 8},
	{SIZE, 12}, {MTIME, 12}, {TYPE, 1}, {LINK, 100}, {MAGIC, 8}, {265, 32}, {297, 32},
	{329, 8}, {337, 8}, {PREFIX, 155}, {386, 96}, {482, 30}};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

struct bits {
	uint8_t *p;
	size_t n;
	size_t max;
	uint64_t state;
	size_t at[MAX_MEMBERS + 1]; /* where members begin; the last: where they end */
	unsigned members;
};

static unsigned chance(struct bits *b, unsigned n)
{
	b->state = b->state * UINT64_C(6364136223846793005) +
		UINT64_C(1442695040888963407);
	return (unsigned)((b->state >> 33) % n);
}

static size_t padded(size_t n)
{
	return (n + BLOCK - 1) / BLOCK * BLOCK;
}

/* ---- headers ---------------------------------------------------------------------- */

static void set_number(uint8_t *field, unsigned n, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%0*llo", (int)n - 1, (unsigned long long)v);
	memcpy(field, text, n);
}

static void set_sum(uint8_t *head)
{
	unsigned sum = 0;

	memset(head + SUM, ' ', 8);
	for (unsigned i = 0; i < BLOCK; i++)
		sum += head[i];
	snprintf((char *)head + SUM, 8, "%06o", sum);
}

static size_t size_of(const uint8_t *head)
{
	size_t v = 0;

	for (unsigned i = SIZE; i < SIZE + 12 && head[i]; i++) {
		if (head[i] >= '0' && head[i] <= '7')
			v = v * 8 + (size_t)(head[i] - '0');
	}
	return v;
}

static bool is_zero(const uint8_t *block)
{
	for (unsigned i = 0; i < BLOCK; i++) {
		if (block[i])
			return false;
	}
	return true;
}

/* Can an entry of that type have data? */
static bool has_data(const uint8_t *head)
{
	return !strchr("123456", head[TYPE]) || !head[TYPE];
}

static void find_members(struct bits *b)
{
	size_t at = 0;

	b->members = 0;
	while (b->members < MAX_MEMBERS && b->n - at >= BLOCK) {
		const uint8_t *head = b->p + at;
		size_t data = is_zero(head) || !has_data(head) ? 0 :
								 padded(size_of(head));

		b->at[b->members++] = at;
		if (data > b->n - at - BLOCK)
			data = b->n - at - BLOCK;
		at += BLOCK + data;
	}
	b->at[b->members] = at;
}

/* ---- members ---------------------------------------------------------------------- */

static size_t length(const struct bits *b, unsigned i)
{
	return b->at[i + 1] - b->at[i];
}

/* Replaces the old bytes at that offset by n others. */
static bool replace(struct bits *b, size_t at, size_t old, const void *p, size_t n)
{
	if (b->n - old + n > b->max)
		return false;
	memmove(b->p + at + n, b->p + at + old, b->n - at - old);
	if (n)
		memcpy(b->p + at, p, n);
	b->n = b->n - old + n;
	return true;
}

static void copy_member(struct bits *b, bool move)
{
	unsigned from = chance(b, b->members);
	unsigned to = chance(b, b->members + 1);
	size_t n = length(b, from);
	uint8_t *copy = malloc(n);

	memcpy(copy, b->p + b->at[from], n);
	if (replace(b, b->at[to], 0, copy, n) && move)
		replace(b, b->at[from] + (to <= from ? n : 0), n, NULL, 0);
	free(copy);
}

/* Copies a name from another member: names matter if they are repeated. */
static void copy_name(struct bits *b)
{
	const uint8_t *from = b->p + b->at[chance(b, b->members)];
	uint8_t *to = b->p + b->at[chance(b, b->members)];
	char name[100];

	memcpy(name, from + (chance(b, 3) ? NAME : LINK), sizeof(name));
	if (chance(b, 4) == 0) {
		memmove(name + 4, name, sizeof(name) - 4);
		memcpy(name, ".wh.", 4);
	}
	memcpy(to + (chance(b, 3) ? NAME : LINK), name, sizeof(name));
}

static void change_field(struct bits *b)
{
	const struct field *f = &fields[chance(b, FIELDS)];
	uint8_t *at = b->p + b->at[chance(b, b->members)] + f->at;
	uint8_t copy[160] = {0};
	size_t n = 0;

	memcpy(copy, at, f->n);
	while (n < f->n && copy[n])
		n++;
	n = LLVMFuzzerMutate(copy, n, f->n);
	memset(copy + n, 0, sizeof(copy) - n);
	memcpy(at, copy, f->n);
}

static void change_type(struct bits *b)
{
	static const char types[] = "0123456xxgLKSVDNMAX7";

	b->p[b->at[chance(b, b->members)] + TYPE] = (uint8_t)
		types[chance(b, sizeof(types))];
}

static void change_number(struct bits *b)
{
	static const unsigned long long some[] = {0, 1, 0777, 04755, 07777, 0100644, 511,
		512, 513, 65534, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
		0x100000000, 0x1ffffffff};
	const struct field *f = &fields[1 + chance(b, 5)];
	uint8_t *at = b->p + b->at[chance(b, b->members)] + f->at;

	if (chance(b, 3)) {
		set_number(at, f->n, some[chance(b, 16)]);
		return;
	}
	/* Base 256, as in GNU tars. */
	memset(at, chance(b, 2) ? 0xff : 0, f->n);
	at[0] = chance(b, 2) ? 0x80 : 0xff;
	for (unsigned i = 0; i < 8 && i + 1 < f->n; i++)
		at[f->n - 1 - i] = (uint8_t)(some[chance(b, 16)] >> 8 * i);
}

static void change_data(struct bits *b)
{
	unsigned i = chance(b, b->members);
	uint8_t *head = b->p + b->at[i];
	size_t room = length(b, i) - BLOCK;
	size_t n = size_of(head) < room ? size_of(head) : room;
	size_t most = b->max - b->n + n;
	uint8_t *copy;

	if (!has_data(head) || most < BLOCK)
		return;
	most = most - BLOCK < n + 1024 ? most - BLOCK : n + 1024;
	most = most < n ? n : most;
	copy = calloc(1, padded(most) + BLOCK);
	memcpy(copy, head + BLOCK, n);
	n = LLVMFuzzerMutate(copy, n, most ? most : 1);
	memset(copy + n, 0, padded(n) - n);
	set_number(head + SIZE, 12, n);
	replace(b, b->at[i] + BLOCK, room, copy, padded(n));
	free(copy);
}

/* ---- putting right ---------------------------------------------------------------- */

/* Corrects the lengths at the start of pax records. */
static void right_records(const char *p, size_t n, struct buf *out)
{
	const char *end = p + n;

	while (p < end) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		const char *rest;
		size_t len;
		char number[24];
		int digits = 1;

		stop = stop ? stop : end;
		rest = memchr(p, ' ', (size_t)(stop - p));
		rest = rest ? rest + 1 : p;
		len = (size_t)(stop - rest) + 2;
		while (snprintf(number, sizeof(number), "%zu ", len + (size_t)digits) !=
			digits + 1)
			digits++;
		buf_adds(out, number);
		buf_add(out, rest, (size_t)(stop - rest));
		buf_add(out, "\n", 1);
		p = stop + 1;
	}
}

static void right_pax(struct bits *b, unsigned i)
{
	uint8_t *head = b->p + b->at[i];
	size_t room = length(b, i) - BLOCK;
	size_t n = size_of(head) < room ? size_of(head) : room;
	struct buf out = {0};

	if (head[TYPE] != 'x' && head[TYPE] != 'g' && head[TYPE] != 'X')
		return;
	right_records((const char *)head + BLOCK, n, &out);
	n = out.len;
	while (out.len % BLOCK)
		buf_add(&out, "", 1);
	if (replace(b, b->at[i] + BLOCK, room, out.data, out.len))
		set_number(head + SIZE, 12, n);
	buf_release(&out);
}

static void right(struct bits *b)
{
	find_members(b);
	for (unsigned i = b->members; i-- > 0 && chance(b, 16);)
		right_pax(b, i);
	find_members(b);
	for (unsigned i = 0; i < b->members; i++) {
		if (!is_zero(b->p + b->at[i]) && chance(b, 64))
			set_sum(b->p + b->at[i]);
	}
}

/* ---- mutation --------------------------------------------------------------------- */

static void change(struct bits *b)
{
	find_members(b);
	if (!b->members || chance(b, 6) == 0) {
		b->n = LLVMFuzzerMutate(b->p, b->n, b->max);
		return;
	}
	switch (chance(b, 12)) {
	case 0: copy_member(b, false); break;
	case 1: copy_member(b, true); break;
	case 2: {
		unsigned i = chance(b, b->members);

		replace(b, b->at[i], length(b, i), NULL, 0);
		break;
	}
	case 3:
	case 4: copy_name(b); break;
	case 5: change_type(b); break;
	case 6: change_number(b); break;
	case 7:
	case 8: change_data(b); break;
	case 9: b->p[b->n - 1] ^= 1; break;
	default: change_field(b);
	}
}

static int keep(void *ctx, const void *p, size_t n, struct ovl_err *err)
{
	(void)err;
	buf_add(ctx, p, n);
	return 0;
}

/* As many of the uncompressed bytes as fit; false if the stream is damaged. */
static bool unpack(const struct codec *c, struct bits *b, const uint8_t *p, size_t n)
{
	struct decode_io io = {.in = p, .in_len = n, .out = b->p, .out_len = b->max};
	void *state = decode_open(c);
	int r;

	do
		r = c->run(state, &io, NULL);
	while (r >= 0 && io.in_len && io.out_len);
	decode_close(c, state);
	b->n = b->max - io.out_len;
	return r >= 0 && b->n;
}

/* Decompresses, changes and compresses again. */
static size_t inside(
	const struct codec *c, uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct bits b = {.p = malloc(max), .max = max, .state = seed};
	struct buf packed = {0};
	struct encode *e = NULL;

	if (unpack(c, &b, data, size) &&
		encode_open(&e, c->name, NULL, keep, &packed, NULL) == 0) {
		change(&b);
		right(&b);
		encode_write(e, b.p, b.n, NULL);
		encode_finish(e, NULL);
	}
	encode_close(e);
	free(b.p);
	if (packed.len && packed.len <= max) {
		memcpy(data, packed.data, packed.len);
		size = packed.len;
	} else {
		size = LLVMFuzzerMutate(data, size, max);
	}
	buf_release(&packed);
	return size;
}

size_t tarbits_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	struct bits b = {.p = data, .n = size, .max = max_size, .state = seed};
	const struct codec *c = decode_detect(data, size);

	if (strcmp(c->name, "none") != 0) {
		if (chance(&b, 4))
			return LLVMFuzzerMutate(data, size, max_size);
		return inside(c, data, size, max_size, seed);
	}
	for (unsigned n = 1 + chance(&b, 3); n; n--)
		change(&b);
	if (chance(&b, 32))
		right(&b);
	return b.n;
}

void tarbits_add(struct buf *out, const char *name, char type, const void *p, size_t n)
{
	uint8_t head[BLOCK] = {0};
	bool link = type == '1' || type == '2';
	static const char zero[BLOCK];

	snprintf((char *)head + NAME, 100, "%s", name);
	set_number(head + MODE, 8, type == '5' ? 0755 : 0644);
	set_number(head + 108, 8, 0);
	set_number(head + 116, 8, 0);
	set_number(head + SIZE, 12, link ? 0 : n);
	set_number(head + MTIME, 12, 1000000000);
	head[TYPE] = (uint8_t)type;
	if (link)
		snprintf((char *)head + LINK, 100, "%s", (const char *)p);
	memcpy(head + MAGIC,
		"ustar\0"
		"00",
		8);
	set_sum(head);
	buf_add(out, head, BLOCK);
	if (!link && n) {
		buf_add(out, p, n);
		buf_add(out, zero, padded(n) - n);
	}
}
