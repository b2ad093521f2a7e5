/*
 * Writes a tar of many files to standard output, the same each time:
 *
 *	gentar [-p PREFIX] [-s SEED] [-n] FILES SIZE
 *
 * FILES files below PREFIX, 100 in a directory, 100 directories in a directory. They
 * contain text that compresses like text, half to one and a half times SIZE bytes each;
 * with -n they are noise of SIZE bytes each.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK   512
#define WORDS   4096
#define MTIME   1600000000
#define PER_DIR 100

static uint64_t state;
static char word[WORDS][12];

static void die(const char *what)
{
	fprintf(stderr, "gentar: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* splitmix64 */
static uint64_t rnd(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static void put(const void *p, size_t n)
{
	if (fwrite(p, 1, n, stdout) != n)
		die("write");
}

static void pad(uint64_t n)
{
	static const char zero[BLOCK];

	put(zero, (BLOCK - n % BLOCK) % BLOCK);
}

static void number(char *field, int digits, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%0*llo", digits, (unsigned long long)value);
	memcpy(field, text, digits);
}

static void header(const char *name, char type, unsigned mode, uint64_t size)
{
	char h[BLOCK] = {0};
	unsigned sum = 0;

	strncpy(h, name, 99);
	number(h + 100, 7, mode);
	number(h + 108, 7, 0);
	number(h + 116, 7, 0);
	number(h + 124, 11, size);
	number(h + 136, 11, MTIME);
	h[156] = type;
	memcpy(h + 257, "ustar\00000", 8);
	memset(h + 148, ' ', 8);
	for (int i = 0; i < BLOCK; i++)
		sum += (unsigned char)h[i];
	number(h + 148, 6, sum);
	h[154] = '\0';
	put(h, BLOCK);
}

static void make_words(void)
{
	static const char letter[] = "eeeetttaaaooiinnsshhrrdlcumwfgypbvk";

	for (int i = 0; i < WORDS; i++) {
		int len = 2 + rnd() % 8;

		for (int k = 0; k < len; k++)
			word[i][k] = letter[rnd() % (sizeof(letter) - 1)];
		word[i][len] = ' ';
	}
}

/* A few words are frequent, most are rare. */
static size_t text(char *p, size_t room)
{
	size_t n = 0;

	while (n + sizeof(word[0]) < room) {
		uint64_t r = rnd();
		const char *w = word[(r & 0xfff) >> ((r >> 12) % 8)];

		while (*w)
			p[n++] = *w++;
		if ((r >> 20) % 12 == 0)
			p[n++] = '\n';
	}
	while (n < room)
		p[n++] = '\n';
	return n;
}

static size_t noise(char *p, size_t room)
{
	for (size_t n = 0; n < room; n += 8) {
		uint64_t r = rnd();

		memcpy(p + n, &r, room - n < 8 ? room - n : 8);
	}
	return room;
}

static void file(const char *name, uint64_t size, bool is_noise)
{
	static char data[65536];
	uint64_t left = size;

	header(name, '0', 0644, size);
	while (left > 0) {
		size_t n = left < sizeof(data) ? left : sizeof(data);

		put(data, is_noise ? noise(data, n) : text(data, n));
		left -= n;
	}
	pad(size);
}

static void dirs(const char *prefix, uint64_t i)
{
	char name[100];

	if (i % (PER_DIR * PER_DIR) == 0) {
		snprintf(name, sizeof(name), "%s/d%03u/", prefix,
			(unsigned)(i / PER_DIR / PER_DIR));
		header(name, '5', 0755, 0);
	}
	if (i % PER_DIR == 0) {
		snprintf(name, sizeof(name), "%s/d%03u/e%02u/", prefix,
			(unsigned)(i / PER_DIR / PER_DIR),
			(unsigned)(i / PER_DIR % PER_DIR));
		header(name, '5', 0755, 0);
	}
}

int main(int argc, char **argv)
{
	static const char end[2 * BLOCK];
	const char *prefix = "data";
	bool is_noise = false;
	uint64_t files, size;
	char name[100];
	int opt;

	while ((opt = getopt(argc, argv, "p:s:n")) != -1) {
		switch (opt) {
		case 'p': prefix = optarg; break;
		case 's': state = strtoull(optarg, NULL, 10); break;
		case 'n': is_noise = true; break;
		default: return 2;
		}
	}
	if (argc - optind != 2 || strlen(prefix) > 40) {
		fputs("usage: gentar [-p PREFIX] [-s SEED] [-n] FILES SIZE\n", stderr);
		return 2;
	}
	files = strtoull(argv[optind], NULL, 10);
	size = strtoull(argv[optind + 1], NULL, 10);
	make_words();
	snprintf(name, sizeof(name), "%s/", prefix);
	header(name, '5', 0755, 0);
	for (uint64_t i = 0; i < files; i++) {
		dirs(prefix, i);
		snprintf(name, sizeof(name), "%s/d%03u/e%02u/f%06u", prefix,
			(unsigned)(i / PER_DIR / PER_DIR),
			(unsigned)(i / PER_DIR % PER_DIR), (unsigned)i);
		file(name, is_noise ? size : size / 2 + rnd() % (size + 1), is_noise);
	}
	put(end, sizeof(end));
	if (fflush(stdout) != 0)
		die("write");
	return 0;
}
