/* SPDX-License-Identifier: ISC */
/*
 * What a kept worker says on its standard output: "DOMAIN MORE" for each
 * domain that is done, "! WHY" before it gives up.  Pure.
 */
#ifndef STS_TOLD_H
#define STS_TOLD_H

#include "sts.h"

enum { STS_TOLD_SIZE = 4096 };

struct sts_told {
	size_t used, taken;
	bool skip;       /* the rest of a line that was too long */
	char fault[160]; /* printable ASCII; "": none */
	char buf[STS_TOLD_SIZE];
};

/* Where the next bytes go; never without room. */
char *sts_told_room(struct sts_told *, size_t *room);
void sts_told_add(struct sts_told *, size_t n);

/* The next domain that is done; false: more bytes are needed. */
bool sts_told_next(struct sts_told *, char domain[STS_NAME_SIZE]);

#endif
