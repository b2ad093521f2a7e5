/* SPDX-License-Identifier: ISC */
/* Recognises formats that are neither a tar nor a supported compression. */
#include <stdbool.h>
#include <string.h>

#include "codec/magic.h"

#define BSDTAR      ": try 'bsdtar -cf - @FILE | ovlctl import -'"
#define MAGIC(text) text, sizeof(text) - 1

/* Entries of one format follow each other, the longer magic first. */
static const struct {
	const char *magic;
	unsigned len;
	const char *name;
} formats[] = {
	{MAGIC("\x1f\x9d"), "compress (.Z) data: try 'zcat FILE | ovlctl import -'"},
	{MAGIC("LZIP"), "lzip (.lz) data: try 'lzip -dc FILE | ovlctl import -'"},
	{MAGIC("\x89LZO\0\r\n"), "lzop data: try 'lzop -dc FILE | ovlctl import -'"},
	{MAGIC("\x02\x21\x4c\x18"),
		"legacy lz4 data: try 'lz4 -dc FILE | ovlctl import -'"},
	{MAGIC("PK\3\4"), "a zip archive" BSDTAR},
	{MAGIC("PK\5\6"), "an empty zip archive"},
	{MAGIC("7z\xbc\xaf\x27\x1c"), "a 7-Zip archive" BSDTAR},
	{MAGIC("Rar!\x1a\7"), "a RAR archive" BSDTAR},
	{MAGIC("MSCF\0\0\0\0"), "a cabinet archive" BSDTAR},
	{MAGIC("\xed\xab\xee\xdb"), "an RPM package" BSDTAR},
	{MAGIC("!<arch>\ndebian-binary"),
		"a Debian package: try 'dpkg-deb --fsys-tarfile FILE | ovlctl import -'"},
	{MAGIC("!<arch>\n"), "an ar archive" BSDTAR},
	{MAGIC("07070"), "a cpio archive" BSDTAR},
	{MAGIC("\xc7\x71"), "a cpio archive" BSDTAR},
	{MAGIC("\x71\xc7"), "a cpio archive" BSDTAR},
	{MAGIC("hsqs"),
		"a squashfs image: mount it, then 'tar -C DIR -cf - . | ovlctl import -'"},
	{MAGIC("QFI\xfb"), "a qcow2 disk image"},
	{MAGIC("\x7f\x45LF"), "an ELF program"},
	{MAGIC("<!DOCTYPE "), "an HTML page"},
	{MAGIC("<html"), "an HTML page"},
};

/* LZMA_Alone has no magic: properties as every encoder writes them, a dictionary of 2^n
 * bytes, and a size that is unknown or below 2^40 (lzma-file-format.txt). */
static bool is_lzma(const unsigned char *p, size_t n)
{
	bool unknown = true;

	if (n < 13 || p[0] != 0x5d || p[1] || p[2] || p[4] || (p[3] & (p[3] - 1)))
		return false;
	for (int i = 5; i < 13; i++)
		unknown &= p[i] == 0xff;
	return unknown || (!p[10] && !p[11] && !p[12]);
}

const char *magic_name(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (n >= formats[i].len &&
			memcmp(p, formats[i].magic, formats[i].len) == 0)
			return formats[i].name;
	}
	return is_lzma(p, n) ? "lzma data: try 'xz -dc FILE | ovlctl import -'" : NULL;
}
