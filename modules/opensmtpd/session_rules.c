/* SPDX-License-Identifier: ISC */
/* Whose a session was, and what is recorded of it. */
#include "session_rules.h"

#include "keyed_hash.h"
#include <mtasts/session.h>

bool
session_owner_waits(const struct session_owners *w, const char *domain,
    int64_t handed, int64_t began)
{
	uint64_t h = hash_name(w->key, domain);
	size_t i = h % SESSION_OWNER_MEMO;
	int64_t answered = w->memo[i].hash == h ? w->memo[i].answered : 0;

	return answered < handed && handed <= began &&
	    began - handed <= SESSION_OWNER_SPAN;
}

void
session_owner_answered(struct session_owners *w, const char *domain,
    int64_t until)
{
	uint64_t h = hash_name(w->key, domain);
	size_t i = h % SESSION_OWNER_MEMO;

	if (w->memo[i].hash == h && w->memo[i].answered >= until)
		return;
	w->memo[i].hash = h;
	w->memo[i].answered = until;
}

/* --- What is recorded ----------------------------------------------------- */

/*
 * A session of an action that verifies certificates is a success of "enforce"
 * by itself, but that smtpd takes a common name for a DNS name (RFC 8461 4.2),
 * and OpenSMTPD 6.8 a clients' certificate for a server's.  Any other is judged
 * as "enforce" would have judged it (RFC 8461 5: "testing" reports what would
 * have failed), and smtpd did not look.
 */
enum record_plan
record_plan(const struct record_facts *f)
{
	bool up = f->result == STS_SESSION_OK;

	/* Whatever the name: the host has been told none. */
	if (f->result == STS_STARTTLS_NOT_SUPPORTED)
		return RECORD_AS_IT_IS;
	if (f->shared)
		return f->mode == STS_MODE_NONE ? RECORD_NOT : RECORD_SHARED;
	if (f->mode == STS_MODE_NONE)
		return RECORD_AS_IT_IS;
	if (up && f->verifies && f->mode == STS_MODE_ENFORCE)
		return f->permitted ? RECORD_VERIFIED : RECORD_AS_IT_IS;
	if (!f->host)
		return up ? RECORD_NOT : RECORD_AS_IT_IS;
	return up && !f->permitted ? RECORD_MISMATCH : RECORD_PROBED;
}
