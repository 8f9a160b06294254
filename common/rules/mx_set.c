/* SPDX-License-Identifier: ISC */
/*
 * MX sets, format 1, with the first line of checksum_line.h:
 *
 *   text = "domain " name LF "kind " word LF
 *          "asked " seconds " until " seconds LF
 *          *( "host " preference " " ( "self" / "other" ) " " name
 *             *( " " address ) LF )
 *
 * and the choice among the hosts of one.
 */
#include "mx_set.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/domain_name.h"
#include "base/err.h"
#include "checksum_line.h"
#include "decide.h"

#define MX_MAGIC "mtasts-mx1"

static const char *const kinds[] = {
	[STS_MX_UNKNOWN] = "unknown",
	[STS_MX_HOSTS] = "hosts",
	[STS_MX_IMPLICIT] = "implicit",
	[STS_MX_NULL] = "null",
	[STS_MX_NOTHING] = "nothing",
};

const char *
sts_mx_kind_name(enum sts_mx_kind kind)
{
	return (unsigned)kind < ARRAY_LEN(kinds) ? kinds[kind] : "?";
}

/* Never all of it: that would touch its four pages for nothing. */
static void
clear(struct sts_mx_set *set)
{
	set->kind = STS_MX_UNKNOWN;
	set->asked = set->until = 0;
	set->n = 0;
}

/* --- What makes sense, in both directions ------------------------------- */

static bool
good_kind(const struct sts_mx_set *set, const char *domain)
{
	switch (set->kind) {
	case STS_MX_HOSTS:
		return set->n > 0;
	case STS_MX_IMPLICIT: /* RFC 5321 5.1: the domain, at preference 0 */
		return set->n == 1 && set->host[0].preference == 0 &&
		    strcmp(set->host[0].name, domain) == 0;
	case STS_MX_NULL:
	case STS_MX_NOTHING:
		return set->n == 0;
	case STS_MX_UNKNOWN:
		break;
	}
	return false;
}

/* All but the names and addresses of hosts. */
static bool
good_set(const struct sts_mx_set *set, const char *domain)
{
	if (set->asked < 0 || set->asked > STS_TIME_MAX ||
	    set->until < set->asked ||
	    set->until - set->asked > STS_MX_TTL_MAX ||
	    set->n > STS_MX_HOSTS_MAX || !good_kind(set, domain))
		return false;
	for (size_t i = 1; i < set->n; i++)
		if (set->host[i].preference < set->host[i - 1].preference)
			return false;
	return true;
}

/* --- Writing ------------------------------------------------------------ */

struct out {
	char *p;
	size_t left;
	bool full;
};

__attribute__((format(printf, 2, 3))) static void
add(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->p, o->left, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= o->left) {
		o->full = true;
		return;
	}
	o->p += n;
	o->left -= (size_t)n;
}

static bool
add_host(struct out *o, const struct sts_mx_host *h)
{
	char text[STS_ADDR_TEXT];

	if (h->naddr > STS_MX_ADDRS_MAX ||
	    memchr(h->name, '\0', sizeof h->name) == NULL ||
	    !sts_host_is_normal(str_of(h->name)))
		return false;
	add(o, "host %u %s %s", h->preference, h->self ? "self" : "other",
	    h->name);
	for (size_t i = 0; i < h->naddr; i++)
		add(o, " %s", sts_addr_text(&h->addr[i], text));
	add(o, "\n");
	return true;
}

size_t
sts_mx_encode(char *buf, const struct sts_mx_set *set, const char *domain)
{
	/* The text first, its first line when it is known. */
	struct out o = { buf + STS_CHECKSUM_LINE_MAX,
		STS_MX_BYTES_MAX - STS_CHECKSUM_LINE_MAX, false };
	struct sts_str text = { buf + STS_CHECKSUM_LINE_MAX, 0 };
	char first[STS_CHECKSUM_LINE_MAX];
	size_t n;

	if (!good_set(set, domain))
		return 0;
	add(&o, "domain %s\nkind %s\nasked %" PRId64 " until %" PRId64 "\n",
	    domain, sts_mx_kind_name(set->kind), set->asked, set->until);
	for (size_t i = 0; i < set->n; i++)
		if (!add_host(&o, &set->host[i]))
			return 0;
	if (o.full)
		return 0;
	text.len = (size_t)(o.p - text.p);
	n = sts_checksum_line_put(first, MX_MAGIC, text.len,
	    sts_checksum(domain, text));
	memmove(buf + n, text.p, text.len);
	memcpy(buf, first, n);
	return n + text.len;
}

/* --- Reading ------------------------------------------------------------ */

static bool
take_kind(struct scan *s, struct sts_mx_set *set)
{
	struct sts_str w;

	if (!scan_word(s, '\n', &w))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_is(w, kinds[i])) {
			set->kind = (enum sts_mx_kind)i;
			return true;
		}
	return false;
}

/* The next of words with a blank between; false at the end. */
static bool
next_word(struct scan *s, struct sts_str *w)
{
	if (s->p == s->end)
		return false;
	if (!scan_word(s, ' ', w))
		*w = scan_rest(s);
	return true;
}

static bool
take_host(struct sts_str line, struct sts_mx_host *h)
{
	struct scan s = scan_str(line);
	struct sts_str w;
	uint64_t preference;

	if (!next_word(&s, &w) || !str_u64(w, UINT16_MAX, &preference) ||
	    !next_word(&s, &w) ||
	    (!(h->self = str_is(w, "self")) && !str_is(w, "other")) ||
	    !next_word(&s, &w) || !sts_host_is_normal(w))
		return false;
	h->preference = (uint16_t)preference;
	memcpy(h->name, w.p, w.len); /* 253 bytes at most */
	h->name[w.len] = '\0';
	for (h->naddr = 0; next_word(&s, &w); h->naddr++)
		if (h->naddr == STS_MX_ADDRS_MAX ||
		    !sts_addr_parse(&h->addr[h->naddr], w))
			return false;
	return line.p[line.len - 1] != ' ';
}

static bool
take_hosts(struct scan *s, struct sts_mx_set *set)
{
	struct sts_str line;

	while (s->p < s->end) {
		if (set->n == STS_MX_HOSTS_MAX || !scan_lit(s, "host ") ||
		    !scan_word(s, '\n', &line) ||
		    !take_host(line, &set->host[set->n]))
			return false;
		set->n++;
	}
	return true;
}

bool
sts_mx_decode(struct sts_mx_set *set, struct sts_str in, const char *domain)
{
	struct scan s = scan_str(in);
	struct sts_str w;

	clear(set);
	if (in.len <= STS_MX_BYTES_MAX &&
	    sts_checksum_line_check(&s, MX_MAGIC, domain, STS_MX_BYTES_MAX) &&
	    scan_lit(&s, "domain ") && scan_word(&s, '\n', &w) &&
	    str_is(w, domain) && scan_lit(&s, "kind ") && take_kind(&s, set) &&
	    scan_lit(&s, "asked ") && sts_time_word(&s, ' ', &set->asked) &&
	    scan_lit(&s, "until ") && sts_time_word(&s, '\n', &set->until) &&
	    take_hosts(&s, set) && good_set(set, domain))
		return true;
	clear(set);
	return false;
}

bool
sts_mx_stale(const struct sts_mx_set *set, int64_t now)
{
	return set->kind == STS_MX_UNKNOWN ||
	    !sts_within(now, set->asked, set->until - set->asked);
}

/* --- Choosing ----------------------------------------------------------- */

/* Which of two hosts comes first: compared field by field, less is better. */
struct rank {
	enum { FINE, BAD, NOWHERE } class;
	int64_t failed; /* where BAD */
	uint16_t preference;
	uint32_t turn;
};

/* Spreads random over hosts of one preference, RFC 5321 5.1. */
static uint32_t
turn_of(uint32_t random, size_t i)
{
	uint32_t x = random + (uint32_t)(i + 1) * 0x9e3779b9u;

	x = (x ^ x >> 16) * 0x85ebca6bu;
	x = (x ^ x >> 13) * 0xc2b2ae35u;
	return x ^ x >> 16;
}

/* When an address was last seen to fail, if that counts still; or 0. */
static int64_t
bad_since(const struct sts_mx_seen *seen, size_t i, int64_t now)
{
	int64_t failed = seen->failed[i], down = seen->down[i];

	if (!sts_within(now, failed, STS_MX_FAILED_SPAN))
		failed = 0;
	if (!sts_within(now, down, STS_MX_DOWN_SPAN))
		down = 0;
	return failed > down ? failed : down;
}

static struct rank
rank_of(const struct sts_mx_host *h, const struct sts_mx_seen *seen,
    int64_t now, uint32_t turn)
{
	struct rank r = { NOWHERE, 0, h->preference, turn };
	int64_t t;

	for (size_t i = 0; i < h->naddr; i++) {
		if ((t = bad_since(seen, i, now)) == 0)
			return (struct rank){ FINE, 0, h->preference, turn };
		r.class = BAD;
		if (t > r.failed)
			r.failed = t;
	}
	return r;
}

static bool
better(const struct rank *a, const struct rank *b)
{
	if (a->class != b->class)
		return a->class < b->class;
	if (a->failed != b->failed)
		return a->failed < b->failed;
	if (a->preference != b->preference)
		return a->preference < b->preference;
	return a->turn < b->turn;
}

/*
 * How many hosts stand before this machine.  RFC 8461 8.4: no policy has a
 * say in this, or mail could go round in circles.
 */
static size_t
before_self(const struct sts_mx_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->host[i].self) {
			while (i > 0 &&
			    set->host[i - 1].preference ==
				set->host[i].preference)
				i--;
			return i;
		}
	return set->n;
}

static void
explain(const struct sts_mx_set *set, size_t n, struct sts_err *err)
{
	static const char *const why[] = {
		[STS_MX_UNKNOWN] = "its MX hosts are not known yet",
		[STS_MX_HOSTS] = "no MX host matches its MTA-STS policy",
		[STS_MX_IMPLICIT] =
		    ("it has no MX record, and its own name does "
		     "not match its MTA-STS policy"),
		[STS_MX_NULL] = "it takes no mail (null MX, RFC 7505)",
		[STS_MX_NOTHING] = "it has no usable MX or address record",
	};
	const char *text = why[set->kind];

	if (n < set->n)
		text = n == 0 ? "this machine is its best MX host"
			      : "no MX host better than this machine matches"
				" its MTA-STS policy";
	sts_fail(err, set->kind == STS_MX_UNKNOWN ? STS_TEMPFAIL : STS_INVALID,
	    0, "%s", text);
}

void
sts_mx_forbid(const struct sts_mx_set *set, const struct sts_policy *policy,
    struct sts_mx_seen *seen)
{
	for (size_t i = 0; i < set->n; i++)
		seen[i].forbidden = policy != NULL &&
		    !sts_policy_permits(policy, set->host[i].name);
}

int
sts_mx_select(const struct sts_mx_set *set, const struct sts_mx_seen *seen,
    int64_t now, uint32_t random, struct sts_err *err)
{
	size_t n = before_self(set);
	struct rank best = { 0 }, r;
	int found = -1;

	for (size_t i = 0; i < n; i++) {
		if (seen[i].forbidden)
			continue;
		r = rank_of(&set->host[i], &seen[i], now, turn_of(random, i));
		if (found == -1 || better(&r, &best)) {
			best = r;
			found = (int)i;
		}
	}
	if (found == -1)
		explain(set, n, err);
	return found;
}
