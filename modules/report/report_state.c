/* SPDX-License-Identifier: ISC */
/*
 * How far a report is on its way, as text, and when to try again.  Pure.
 *
 *   mtasts-out1 UNIQUE LF
 *   *( state SP tries SP first SP next SP URI LF )
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/scan.h"
#include "outbox.h"
#include <mtasts/session.h>

_Static_assert(STS_RUA_MAX *(RUA_URL_SIZE + 80) + 80 < REPORT_STATE_TEXT_MAX,
    "the longest state fits");

static const char *const states[] = {
	[DEST_WAITS] = "waits",
	[DEST_SENDING] = "sending",
	[DEST_SENT] = "sent",
	[DEST_UNKNOWN] = "unknown",
	[DEST_GIVEN_UP] = "given-up",
	[DEST_WITHHELD_PLACE] = "withheld-place",
	[DEST_WITHHELD_OUTSIDE] = "withheld-outside",
	[DEST_WITHHELD_OWNER] = "withheld-owner",
	[DEST_WITHHELD_FULL] = "withheld-full",
};
_Static_assert(ARRAY_LEN(states) == DEST_STATES, "each has a word");

const char *
destination_state_word(enum destination_state s)
{
	return states[s];
}

bool
report_state_waits(const struct report_state *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->dest[i].state == DEST_WAITS)
			return true;
	return false;
}

size_t
report_state_write(char *text, const struct report_state *p)
{
	size_t n, room = REPORT_STATE_TEXT_MAX;

	n = (size_t)snprintf(text, room, REPORT_STATE_MAGIC "%s\n", p->unique);
	for (size_t i = 0; i < p->n; i++) {
		const struct destination *g = &p->dest[i];

		n += (size_t)snprintf(text + n, room - n,
		    "%s %u %" PRId64 " %" PRId64 " %s\n", states[g->state],
		    g->tries, g->first, g->next, g->uri);
	}
	return n;
}

static bool
take_number(struct scan *s, uint64_t max, uint64_t *out)
{
	struct sts_str w;

	if (!scan_until(s, ' ', &w) || !str_u64(w, max, out))
		return false;
	s->p++;
	return true;
}

static bool
take_goal(struct sts_str line, struct destination *g)
{
	struct scan s = scan_str(line);
	struct sts_str w;
	uint64_t tries, first, next;

	if (!scan_until(&s, ' ', &w))
		return false;
	s.p++;
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (str_is(w, states[i])) {
			g->state = (enum destination_state)i;
			if (!take_number(&s, 1000, &tries) ||
			    !take_number(&s, INT64_MAX, &first) ||
			    !take_number(&s, INT64_MAX, &next))
				return false;
			w = scan_rest(&s);
			if (w.len == 0 || w.len >= sizeof g->uri ||
			    !str_all(w, is_print))
				return false;
			g->tries = (unsigned)tries;
			g->first = (int64_t)first;
			g->next = (int64_t)next;
			memcpy(g->uri, w.p, w.len);
			g->uri[w.len] = '\0';
			return true;
		}
	return false;
}

bool
report_state_read(struct report_state *p, struct sts_str text)
{
	struct scan s = scan_str(text);
	struct sts_str line;

	if (!scan_lit(&s, REPORT_STATE_MAGIC) || !scan_until(&s, '\n', &line) ||
	    line.len != sizeof p->unique - 1 || !str_all(line, is_alnum))
		return false;
	memcpy(p->unique, line.p, line.len);
	p->unique[line.len] = '\0';
	for (p->n = 0, s.p++; s.p < s.end; p->n++, s.p++)
		if (p->n == STS_RUA_MAX || !scan_until(&s, '\n', &line) ||
		    !take_goal(line, &p->dest[p->n]))
			return false;
	return true;
}

bool
outbox_reaches(const struct destination *g, size_t n, struct sts_str uri)
{
	struct rua new, old;

	sts_rua_read(&new, uri);
	for (size_t i = 0; i < n && new.kind != RUA_USELESS; i++) {
		sts_rua_read(&old,
		    (struct sts_str){ g[i].uri, strlen(g[i].uri) });
		if (sts_rua_same(&new, &old))
			return true;
	}
	return false;
}

bool
destination_failed(struct destination *g, int64_t now)
{
	int64_t pause = OUTBOX_RETRY_MIN;

	for (unsigned i = 1; i < g->tries && pause < OUTBOX_RETRY_MAX; i++)
		pause *= 2;
	if (pause > OUTBOX_RETRY_MAX)
		pause = OUTBOX_RETRY_MAX;
	g->next = now + pause;
	g->state =
	    now - g->first >= OUTBOX_GIVE_UP ? DEST_GIVEN_UP : DEST_WAITS;
	return g->state == DEST_WAITS;
}
