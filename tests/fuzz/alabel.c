/* SPDX-License-Identifier: ISC */
#include "alabel.h"

#include <stdlib.h>

#include <idn2.h>

#include "must.h"

enum { OPERATOR_MAX = 1024 };

/* Bytes as Exim hands them over: a domain in any bytes but NUL. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char name[OPERATOR_MAX + 2];
	char *alabel, *again, *out = NULL;
	bool ascii = true, exists;
	int rc;

	if (len >= sizeof name)
		return 0;
	memcpy(name, data, len);
	name[len] = '\0';
	exists = exim_alabel(&alabel, name);
	for (char *p = name; *p != '\0'; p++) {
		ascii = ascii && (unsigned char)*p < 0x80;
		*p = to_lower(*p);
	}
	/* Case never matters. */
	MUST(exists == exim_alabel(&again, name));
	MUST((alabel == NULL) == (again == NULL));
	MUST(alabel == NULL || strcmp(alabel, again) == 0);
	free(again);
	if (ascii || strlen(name) >= OPERATOR_MAX) {
		MUST(exists && alabel == NULL);
		return 0;
	}
	/* As ${utf8_domain_to_alabel:} of Exim 4.96 asks. */
	rc = idn2_lookup_u8((const uint8_t *)name, (uint8_t **)&out,
	    IDN2_NFC_INPUT);
	MUST(rc != IDN2_OK || exists);
	MUST(rc == IDN2_OK ? alabel != NULL && strcmp(alabel, out) == 0
			   : alabel == NULL);
	MUST(rc == IDN2_OK || rc == IDN2_MALLOC || rc == IDN2_NO_CODESET ||
	    rc == IDN2_ICONV_FAIL || !exists);
	free(alabel);
	idn2_free(out);
	return 0;
}
