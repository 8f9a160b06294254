/* SPDX-License-Identifier: ISC */
#include "alabel.h"

#include <idn2.h>

#include "must.h"

enum { OPERATOR_MAX = 1024 };

/* Bytes as Exim hands them over: a domain in any bytes but NUL. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char name[OPERATOR_MAX + 2];
	bool ascii = true, exists;
	char *out = NULL;
	int rc;

	if (len >= sizeof name)
		return 0;
	memcpy(name, data, len);
	name[len] = '\0';
	exists = exim_alabel_exists(name);
	for (char *p = name; *p != '\0'; p++) {
		ascii = ascii && (unsigned char)*p < 0x80;
		*p = to_lower(*p);
	}
	MUST(exists == exim_alabel_exists(name)); /* case never matters */
	if (ascii || strlen(name) >= OPERATOR_MAX) {
		MUST(exists);
		return 0;
	}
	/* As ${utf8_domain_to_alabel:} of Exim 4.96 asks. */
	rc = idn2_lookup_u8((const uint8_t *)name, (uint8_t **)&out,
	    IDN2_NFC_INPUT);
	MUST(rc != IDN2_OK || exists);
	MUST(rc == IDN2_OK || rc == IDN2_MALLOC || rc == IDN2_NO_CODESET ||
	    rc == IDN2_ICONV_FAIL || !exists);
	idn2_free(out);
	return 0;
}
