/* SPDX-License-Identifier: ISC */
#include <strings.h>

#include "must.h"
#include "rules/policy_reply.h"

/* How it ended, the certificate, status, delimited; type, newline, body. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct sts_reply r = { .status = 200 };
	struct sts_policy *pol;
	struct sts_err err = { 0 };
	struct sts_str type;
	struct scan s;
	enum sts_policy_reply f;
	const char *p, *q;

	if (len < 4)
		return 0;
	r.end = (enum sts_reply_end)(data[0] % 16);
	r.cert = (enum sts_cert)(data[1] % 16);
	r.status = data[2] * 4;
	r.delimited = data[3] & 1;
	s = scan_bytes(data + 4, len - 4);
	if (!scan_until(&s, '\n', &type))
		type = scan_rest(&s);
	scan_char(&s, '\n');
	memcpy(r.content_type, type.p,
	    type.len < sizeof r.content_type ? type.len
					     : sizeof r.content_type);
	r.body = s.p;
	r.len = scan_left(&s);

	f = sts_policy_reply_judge(&r, &pol, &err);
	MUST((f == STS_POLICY_REPLY_OK) == (pol != NULL));
	MUST((f == STS_POLICY_REPLY_OK) == (err.rc == STS_OK));
	MUST(f == STS_POLICY_REPLY_OK || str_all(str_of(err.text), is_print));
	MUST(strcmp(sts_policy_reply_name(f), "?") != 0);
	if (f == STS_POLICY_REPLY_OK || f == STS_POLICY_REPLY_INVALID) {
		MUST(r.end == STS_REPLY_COMPLETE && r.cert == STS_CERT_OK);
		MUST(r.status == 200 && r.delimited);
		p = r.content_type + strspn(r.content_type, " \t");
		MUST(strncasecmp(p, "text/plain", 10) == 0);
		MUST(strchr("; \t,", p[10]) != NULL);
		/* nothing was cut off, and no type stands behind the last */
		MUST(strlen(r.content_type) < STS_TYPE_MAX - 1);
		if (strchr(p, '"') == NULL) {
			p = (q = strrchr(p, ',')) != NULL ? q + 1 : p;
			p += strspn(p, " \t");
			MUST(strncasecmp(p, "text/plain", 10) == 0);
		}
	}
	sts_policy_free(pol);
	return 0;
}
