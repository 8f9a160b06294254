/* SPDX-License-Identifier: ISC */
/* Input right before an unreadable page: one byte read too far faults. */
#ifndef TESTS_UNIT_GUARD_H
#define TESTS_UNIT_GUARD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { GUARD_MAX = 1 << 20, GUARD_AREAS = 8 };

/*
 * A copy of len bytes that ends where the page starts.  The copies of the
 * last GUARD_AREAS calls are good at the same time; never free them.
 */
static inline char *
guard_copy(const void *bytes, size_t len)
{
	static char *fence[GUARD_AREAS];
	static unsigned turn;
	char **f = &fence[turn++ % GUARD_AREAS];

	if (len > GUARD_MAX) {
		fputs("guard_copy: input too long\n", stderr);
		exit(99);
	}
	if (*f == NULL) {
		size_t page = (size_t)sysconf(_SC_PAGESIZE);
		char *map = mmap(NULL, GUARD_MAX + page, PROT_READ | PROT_WRITE,
		    MAP_ANON | MAP_PRIVATE, -1, 0);

		if (map == MAP_FAILED ||
		    mprotect(map + GUARD_MAX, page, PROT_NONE) == -1) {
			perror("guard_copy");
			exit(99);
		}
		*f = map + GUARD_MAX;
	}
	return len == 0 ? *f : memcpy(*f - len, bytes, len);
}

/* The same for a C string, its NUL being the last readable byte. */
static inline char *
guard_string(const char *s)
{
	return guard_copy(s, strlen(s) + 1);
}

#endif
