/* SPDX-License-Identifier: ISC */
#include "outbound.h"

#include <syslog.h>

#include "net/registrable_domain.h"

enum { SAY_EVERY = 3600 }; /* s */

void
outbound_note(struct sts_store *st, const char *domain, enum sts_reach reach,
    int64_t now)
{
	int64_t since;
	unsigned n;

	if (reach == STS_REACH_MADE)
		sts_store_reached(st);
	if (reach != STS_REACH_NONE)
		return;
	sts_store_unreached_add(st, registrable_domain(domain), now);
	n = sts_store_unreached(st, now, &since);
	if (n >= STS_UNREACHED_OWNERS &&
	    sts_store_claim(st, STS_MARK_UNREACHED_SAID, NULL, now, SAY_EVERY))
		syslog(LOG_WARNING,
		    "no policy host of %u owners could be connected to for "
		    "%ld min, the last was mta-sts.%s: is outgoing TCP to "
		    "port 443 blocked?",
		    n, (long)((now - since) / 60), domain);
}
