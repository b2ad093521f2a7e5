/* A target without libFuzzer: gives it the files that it is called with, each once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* Of no use here, but mutators call it. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
	(void)data;
	return size < max_size ? size : max_size;
}

static void give(const char *name)
{
	FILE *f = fopen(name, "rb");
	struct buf bytes = {0};
	char block[4096];
	uint8_t *exact;
	size_t n;

	if (!f) {
		perror(name);
		exit(2);
	}
	while ((n = fread(block, 1, sizeof(block), f)) > 0)
		buf_add(&bytes, block, n);
	fclose(f);
	/* Of its very size, so that a byte too far is seen. */
	exact = malloc(bytes.len + !bytes.len);
	if (bytes.len)
		memcpy(exact, bytes.data, bytes.len);
	LLVMFuzzerTestOneInput(exact, bytes.len);
	free(exact);
	buf_release(&bytes);
}

int main(int argc, char **argv)
{
	int n = argc - 1;

	LLVMFuzzerInitialize(&argc, &argv);
	printf("1..%d\n", n);
	for (int i = 1; i <= n; i++) {
		give(argv[i]);
		printf("ok %d - %s\n", i,
			strrchr(argv[i], '/') ? strrchr(argv[i], '/') + 1 : argv[i]);
	}
	return 0;
}
