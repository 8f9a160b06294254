/* SPDX-License-Identifier: ISC */
/*
 * What sts_mx_next() handed out, as lines of a file: who tells of a session
 * with an MX host (OpenSMTPD) may tell its address alone, and then this is
 * all that is known of whose mail it was for.  Pure.
 *
 *   line = time SP ("policy" / "any") SP domain SP host SP
 *          address *("," address) LF
 */
#ifndef STS_RULES_MX_OFFERS_H
#define STS_RULES_MX_OFFERS_H

#include "base/scan.h"
#include "mx_set.h"
#include <mtasts/mx.h>

enum {
	STS_MX_OFFER_LINE =
	    2 * STS_NAME_SIZE + 40 + STS_MX_ADDRS_MAX * STS_ADDR_TEXT,
	STS_MX_OFFER_MAX = 256 * 1024, /* bytes; then a new file is begun */
	STS_MX_OFFER_GAP = 500         /* ms in which the same is noted once */
};

/* Returns the length; 0: a host without addresses is nobody's peer. */
size_t sts_mx_offer_line(char out[STS_MX_OFFER_LINE], int64_t when, bool policy,
    const char *domain, const struct sts_mx_host *);

/* The next line about the address (sts_addr_text() form); odd ones are passed
 * over.  False: no more. */
bool sts_mx_offer_next(struct scan *, const char *address,
    struct sts_mx_offer *);

#endif
