/* SPDX-License-Identifier: ISC */
/*
 * putsession SPOOL TIME DOMAIN MX REASON [N] <DER: a session whose certificate
 * was refused, as an adapter records it; or N of them, each with another one.
 */
#include <stdio.h>
#include <string.h>

#include "tlsrpt/spool.h"
#include <mtasts/session.h>

int
main(int argc, char **argv)
{
	static char der[STS_SESSION_DER_MAX];
	struct sts_err err = { 0 };
	uint64_t time, n = 1;
	struct sts_spool *spool;
	struct sts_session s = {
		.type = STS_TYPE_STS,
		.mode = STS_MODE_ENFORCE,
		.id = str_of("1"),
		.result = STS_CERTIFICATE_REFUSED,
		.sending_ip = str_of("198.18.0.2"),
	};

	if (argc < 6 || argc > 7 ||
	    !str_u64(str_of(argv[2]), INT64_MAX, &time) ||
	    (argc == 7 && !str_u64(str_of(argv[6]), UINT32_MAX, &n)))
		return 2;
	s.time = (int64_t)time;
	s.domain = str_of(argv[3]);
	s.mx_host = str_of(argv[4]);
	s.reason = str_of(argv[5]);
	s.der.p = der;
	s.der.len = fread(der, 1, sizeof der, stdin);
	if (sts_spool_open(&spool, argv[1], STS_SPOOL_DAY_MAX, &err) !=
	    STS_OK) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	for (uint64_t i = 0; i < n; i++) {
		if (n > 1)
			memcpy(der, &i, sizeof i);
		if (sts_spool_add(spool, &s, s.time, &err) != STS_OK) {
			fprintf(stderr, "%s\n", err.text);
			return 1;
		}
	}
	sts_spool_close(spool);
	return 0;
}
