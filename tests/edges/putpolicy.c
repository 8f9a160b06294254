/* SPDX-License-Identifier: ISC */
/*
 * putpolicy CACHE DOMAIN ID [was|DAYS] <POLICY: what the worker would have
 * stored, that many days ago, or set aside, for tests that begin behind that.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/scan.h"
#include "cache/cache.h"

int
main(int argc, char **argv)
{
	static char body[STS_BODY_MAX];
	struct sts_entry e = { .kind = STS_ENTRY_POLICY };
	struct sts_err err = { 0 };
	struct sts_store *s;
	uint64_t days = 0;
	bool was;

	if (argc != 4 && argc != 5)
		return 2;
	was = argc == 5 && strcmp(argv[4], "was") == 0;
	if (argc == 5 && !was && !str_u64(str_of(argv[4]), 1000, &days))
		return 2;
	e.fetched = e.checked = time(NULL) - (int64_t)days * 86400;
	e.until = e.fetched + 30 * 86400;
	snprintf(e.id, sizeof e.id, "%s", argv[3]);
	e.body.p = body;
	e.body.len = fread(body, 1, sizeof body, stdin);
	if (sts_store_open(&s, argv[1], &err) == STS_OK &&
	    (was ? sts_store_put_replaced : sts_store_put)(s, argv[2], &e,
		&err) == STS_OK) {
		sts_store_close(s);
		return 0;
	}
	fprintf(stderr, "%s\n", err.text);
	return 1;
}
