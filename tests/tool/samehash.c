/*
 * samehash KEPT DEPTH FILES: writes a tar in which KEPT files appear twice, with FILES
 * files between them that are DEPTH directories deep. The names of the former and the
 * paths of all directories have the same remainder of XXH64 with seed 0, so that they are
 * in one chain of a hash table that has no random seed.
 */
#define XXH_INLINE_ALL
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define BUCKETS 1024
#define BUCKET  7

static void block(const char *name, size_t size, char type)
{
	unsigned char h[512] = {0};
	unsigned sum = 0;

	strncpy((char *)h, name, 99);
	strcpy((char *)h + 100, "0000644");
	strcpy((char *)h + 108, "0000000");
	strcpy((char *)h + 116, "0000000");
	snprintf((char *)h + 124, 12, "%011o", (unsigned)size);
	strcpy((char *)h + 136, "00000000001");
	memset(h + 148, ' ', 8);
	h[156] = (unsigned char)type;
	strcpy((char *)h + 257, "ustar  ");
	for (int i = 0; i < 512; i++)
		sum += h[i];
	snprintf((char *)h + 148, 8, "%06o", sum);
	fwrite(h, sizeof(h), 1, stdout);
}

static void data(const char *p, size_t n)
{
	static const char zeros[512];

	fwrite(p, n, 1, stdout);
	fwrite(zeros, (512 - n % 512) % 512, 1, stdout);
}

static void file(const char *path, const char *text)
{
	size_t n = strlen(path) + 1;

	if (n > 99) {
		block("././@LongLink", n, 'L');
		data(path, n);
	}
	block(path, strlen(text), '0');
	data(text, strlen(text));
}

static int falls(const char *path)
{
	return XXH64(path, strlen(path), 0) % BUCKETS == BUCKET;
}

/* Increments a hexadecimal number in place; printf(3) would take most of the time. */
static void count(char *digit, size_t n)
{
	while (n-- > 0) {
		if (digit[n] != 'f') {
			digit[n] = digit[n] == '9' ? 'a' : (char)(digit[n] + 1);
			return;
		}
		digit[n] = '0';
	}
}

int main(int argc, char **argv)
{
	int kept = argc == 4 ? atoi(argv[1]) : 0;
	int depth = argc == 4 ? atoi(argv[2]) : 0;
	int files = argc == 4 ? atoi(argv[3]) : 0;
	char(*name)[24] = calloc((size_t)kept + 1, sizeof(*name));
	char path[16384] = "";
	char next[] = "k00000000";
	size_t len = 0;

	if (!name || kept < 1 || files < 1 || depth < 1 || depth > 1000)
		return 2;
	for (int d = 0; d < depth; d++) {
		unsigned i = 0;

		do
			sprintf(path + len, "%s%x", d ? "/" : "", i++);
		while (!falls(path));
		len = strlen(path);
	}
	for (int k = 0; k < kept; k++) {
		do
			count(next + 1, sizeof(next) - 2);
		while (!falls(next));
		strcpy(name[k], next);
		file(name[k], "x");
	}
	for (int f = 0; f < files; f++) {
		sprintf(path + len, "/%x", f);
		file(path, "x");
	}
	for (int k = 0; k < kept; k++)
		file(name[k], "");
	data("", 0);
	for (int i = 0; i < 1024; i++)
		putchar(0);
	return 0;
}
