/* SPDX-License-Identifier: ISC */
/* U-labels that come in by a list or a stream (RFC 8461 3.2, RFC 5891). */
#include "worker.h"

#include <stdio.h>

#include <idn2.h>

#include "err.h"

enum sts_rc
worker_name(char out[STS_NAME_SIZE], const char *name, struct sts_err *err)
{
	enum sts_rc rc = sts_domain_normal(out, name, err);
	char *ascii = NULL;
	int bad;

	if (rc != STS_INVALID)
		return rc;
	bad = idn2_to_ascii_8z(name, &ascii,
	    IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
	if (bad != IDN2_OK)
		return sts_fail(err, STS_INVALID, 0, "%s", idn2_strerror(bad));
	rc = sts_domain_normal(out, ascii, err);
	idn2_free(ascii);
	return rc;
}
