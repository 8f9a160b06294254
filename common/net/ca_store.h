/* SPDX-License-Identifier: ISC */
/* The CA store that the GETs of one process share. */
#ifndef STS_NET_CA_STORE_H
#define STS_NET_CA_STORE_H

#include <stdint.h>

#include <curl/curl.h>

#include "conf/conf.h"
#include "tls.h"
#include <mtasts/sts.h>

struct ca_store {
	const struct sts_conf *conf;
	struct tls_ca ca;
	struct tls_store *store; /* NULL: libcurl reads ca for each GET */
	int64_t looked;          /* sts_now_ms(); 0: not yet, or in vain */
	struct sts_err err;      /* of the last look */
};

/*
 * All zero but for conf, which is lent.  Looks at the store unless that was
 * done of late: a worker is kept for days.  STS_LOCAL: nothing usable in it,
 * err says why, and the next call looks again.
 */
enum sts_rc ca_store_load(struct ca_store *);
void ca_store_clear(struct ca_store *);

/* Have the next GET of the handle use it; stays where it is until then. */
CURLcode ca_store_apply(struct ca_store *, CURL *);

#endif
