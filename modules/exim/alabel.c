/* SPDX-License-Identifier: ISC */
/*
 * Will Exim's ${utf8_domain_to_alabel:} fail?  No configuration can catch that.
 * Asked is the libidn2 that is in Exim's process, in the way of Exim 4.96:
 * ASCII in lower case, NFC_INPUT.  Where it is missing there is no "no".
 */
#include "alabel.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { NFC_INPUT = 1, OF_THE_NAME = -200, NAME_MAX_BYTES = 1024 };

bool
exim_alabel_exists(const char *domain)
{
	union {
		void *p;
		int (*fn)(const uint8_t *, uint8_t **, int flags);
	} convert;
	size_t len = strlen(domain);
	char name[NAME_MAX_BYTES];
	uint8_t *out = NULL;
	bool ascii = true;
	int rc;

	if (len >= sizeof name)
		return true; /* the operator itself will say */
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
	rc = convert.fn((const uint8_t *)name, &out, NFC_INPUT);
	free(out);
	return rc > OF_THE_NAME; /* -100 to -199 are faults of this host */
}
