/* SPDX-License-Identifier: ISC */
/*
 * A session of an action that verifies certificates is a success of "enforce"
 * by itself.  Any other is judged as "enforce" would have judged it (RFC 8461
 * 5: "testing" reports what would have failed), and smtpd did not look.
 */
#include "record.h"

enum record_plan
record_plan(const struct record_facts *f)
{
	bool up = f->result == STS_SESSION_OK;

	if (f->mode == STS_MODE_NONE || f->result == STS_STARTTLS_NOT_SUPPORTED)
		return RECORD_AS_IT_IS;
	if (up && f->verifies && f->mode == STS_MODE_ENFORCE)
		return RECORD_AS_IT_IS;
	if (!f->host)
		return up ? RECORD_NOT : RECORD_AS_IT_IS;
	return up && !f->permitted ? RECORD_MISMATCH : RECORD_PROBED;
}
