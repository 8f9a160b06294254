/* SPDX-License-Identifier: ISC */
/*
 * seed DIR policy|ready|none DOMAIN...: entries as a worker would have stored
 * them just now; the policy comes on standard input.  ready: with an MX set.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cache/cache.h"

int
main(int argc, char *argv[])
{
	static char body[STS_BODY_MAX];
	struct sts_entry e = { .kind = STS_ENTRY_NONE,
		.why = STS_WHY_NO_RECORD,
		.checked = time(NULL) };
	struct sts_store *store;
	struct sts_err err = { 0 };
	static struct sts_mx_set mx = { .kind = STS_MX_HOSTS,
		.n = 1,
		.host[0] = { .name = "mx.test",
		    .preference = 10,
		    .naddr = 1,
		    .addr[0] = { false, { 192, 0, 2, 1 } } } };
	bool ready = argc > 2 && strcmp(argv[2], "ready") == 0;

	if (argc < 4 || sts_store_open(&store, argv[1], &err) != STS_OK) {
		fprintf(stderr, "seed: %s\n", err.text);
		return 1;
	}
	e.until = e.checked + 86400;
	mx.asked = e.checked;
	mx.until = e.until;
	if (ready || strcmp(argv[2], "policy") == 0) {
		e.kind = STS_ENTRY_POLICY;
		e.why = STS_WHY_NOTHING;
		e.fetched = e.checked;
		snprintf(e.id, sizeof e.id, "1");
		e.body = (struct sts_str){ body,
			fread(body, 1, sizeof body, stdin) };
	}
	umask(077);
	for (int i = 3; i < argc; i++)
		if (sts_store_put(store, argv[i], &e, &err) != STS_OK ||
		    (ready &&
			sts_store_put_mx(store, argv[i], &mx, &err) !=
			    STS_OK)) {
			fprintf(stderr, "seed: %s\n", err.text);
			return 1;
		}
	sts_store_close(store);
	return 0;
}
