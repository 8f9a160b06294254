/* SPDX-License-Identifier: ISC */
/*
 * By the libidn2 that is in this process, in the way of Exim 4.96.  Exim's own
 * operator would make the whole expansion fail for a name that has none, and
 * mail would wait that Exim by itself returns.
 */
#include "alabel.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { NFC_INPUT = 1, OF_THE_NAME = -200, NAME_MAX_BYTES = 1024 };

bool
exim_alabel(char **out, const char *domain)
{
	union {
		void *p;
		int (*fn)(const uint8_t *, uint8_t **, int flags);
	} convert;
	union {
		uint8_t *u;
		char *s;
	} alabel = { .u = NULL };
	size_t len = strlen(domain);
	char name[NAME_MAX_BYTES];
	bool ascii = true;
	int rc;

	*out = NULL;
	if (len >= sizeof name)
		return true;
	for (size_t i = 0; i <= len; i++) {
		ascii = ascii && (unsigned char)domain[i] < 0x80;
		name[i] = domain[i] >= 'A' && domain[i] <= 'Z'
		    ? (char)(domain[i] - 'A' + 'a')
		    : domain[i];
	}
	/* What is ASCII is not converted, whatever IDNA says of it. */
	if (ascii ||
	    (convert.p = dlsym(RTLD_DEFAULT, "idn2_lookup_u8")) == NULL)
		return true;
	rc = convert.fn((const uint8_t *)name, &alabel.u, NFC_INPUT);
	*out = rc == 0 ? alabel.s : NULL;
	return rc > OF_THE_NAME; /* -100 to -199 are faults of this host */
}
