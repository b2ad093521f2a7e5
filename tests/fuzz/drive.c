/*
 * Runs a target without libFuzzer.
 *
 *	TARGET FILE...			each file once
 *	TARGET -r RUNS LAST FILE...	so many modified files, the same each time. LAST gets
 *					the last input. One that takes a minute is a
 *					fault
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "fuzz.h"

#define MAX_SIZE 16384

#pragma weak LLVMFuzzerCustomMutator

static uint64_t state;

static size_t below(size_t n)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (size_t)(state >> 33) % n;
}

/* Inserts or removes n bytes. */
static size_t insert(uint8_t *p, size_t size, size_t at, size_t n)
{
	memmove(p + at + n, p + at, size - at);
	return size + n;
}

/* One change, as libFuzzer makes them. */
size_t LLVMFuzzerMutate(uint8_t *p, size_t size, size_t max_size)
{
	static const char some[] = "\0\1\n \"%,-./:0179=@AZ[]a{}\177\200\377";
	size_t at = below(size + 1);
	size_t n = 1 + below(1 + below(64));
	size_t from = below(size + 1);

	if (at == size || below(8) == 0) {
		n = n < max_size - size ? n : max_size - size;
		size = insert(p, size, at, n);
		memset(p + at, some[below(sizeof(some))], n);
		return size;
	}
	n = n < size - at ? n : size - at;
	switch (below(6)) {
	case 0: p[at] ^= (uint8_t)(1 << below(8)); break;
	case 1: p[at] = (uint8_t)some[below(sizeof(some))]; break;
	case 2: p[at] = (uint8_t)below(256); break;
	case 3: p[at] += below(2) ? 1 : 255; break;
	case 4:
		n = n < size - from ? n : size - from;
		memmove(p + at, p + from, n);
		break;
	default: memmove(p + at, p + at + n, size - at - n); size -= n;
	}
	return size;
}

static size_t change(uint8_t *p, size_t size)
{
	if (LLVMFuzzerCustomMutator)
		return LLVMFuzzerCustomMutator(
			p, size, MAX_SIZE, (unsigned)below(1u << 31));
	for (size_t n = 1 + below(4); n; n--)
		size = LLVMFuzzerMutate(p, size, MAX_SIZE);
	return size;
}

static void read_file(const char *name, struct buf *out)
{
	FILE *f = fopen(name, "rb");
	char block[4096];
	size_t n;

	if (!f) {
		perror(name);
		exit(2);
	}
	while ((n = fread(block, 1, sizeof(block), f)) > 0)
		buf_add(out, block, n);
	fclose(f);
}

static void give(const void *p, size_t n)
{
	/* Allocated with the exact size, so that ASan reports a read beyond it. */
	uint8_t *exact = malloc(n + !n);

	if (n)
		memcpy(exact, p, n);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
}

static void give_changed(unsigned runs, const char *last, char **files, size_t n_files)
{
	FILE *f = fopen(last, "wb");
	uint8_t bytes[MAX_SIZE];

	for (unsigned i = 0; f && i < runs; i++) {
		struct buf file = {0};
		size_t n;

		state = i;
		read_file(files[below(n_files)], &file);
		n = file.len < MAX_SIZE ? file.len : MAX_SIZE;
		if (n)
			memcpy(bytes, file.data, n);
		n = change(bytes, n);
		if (fs_pwrite_all(fileno(f), bytes, n, 0) < 0 ||
			ftruncate(fileno(f), (off_t)n))
			exit(2);
		alarm(60);
		give(bytes, n);
		buf_release(&file);
	}
	if (!f)
		exit(2);
	alarm(0);
	fclose(f);
}

int main(int argc, char **argv)
{
	bool changed = argc > 4 && strcmp(argv[1], "-r") == 0;

	LLVMFuzzerInitialize(&argc, &argv);
	if (changed)
		give_changed((unsigned)strtoul(argv[2], NULL, 10), argv[3], argv + 4,
			(size_t)argc - 4);
	for (int i = 1; !changed && i < argc; i++) {
		struct buf file = {0};

		read_file(argv[i], &file);
		give(file.data, file.len);
		buf_release(&file);
	}
	return 0;
}
