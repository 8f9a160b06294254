/* SPDX-License-Identifier: ISC */
#include "tlsrpt/session_line.h"
#include "must.h"

/* What is read is what would be written. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char line[STS_SESSION_LINE_MAX], again[STS_SESSION_LINE_MAX];
	struct sts_session s;
	size_t n;

	if (len >= sizeof line)
		return 0;
	memcpy(line, data, len);
	if (!sts_session_decode(&s, line, len))
		return 0;
	n = sts_session_encode(again, &s);
	MUST(n == len + 1 && memcmp(again, data, len) == 0);
	MUST(s.der.len == 0);
	MUST(s.cert.len == 0 || sts_session_is_cert(s.cert));
	return 0;
}
