/* SPDX-License-Identifier: ISC */
/* Every file of the directories given, once through a fuzz target. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int
replay(const char *dir)
{
	static char buf[GUARD_MAX];
	struct dirent *e;
	char path[4096];
	DIR *d = opendir(dir);
	size_t len;
	FILE *f;
	int n = 0;

	if (d == NULL)
		return 0;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if ((f = fopen(path, "rb")) == NULL)
			continue;
		len = fread(buf, 1, sizeof buf, f);
		fclose(f);
		LLVMFuzzerTestOneInput((const uint8_t *)guard_copy(buf, len),
		    len);
		n++;
	}
	closedir(d);
	return n;
}

int
main(int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc; i++)
		n += replay(argv[i]);
	printf("%d inputs\n", n);
	return n == 0;
}
