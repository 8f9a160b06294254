/* SPDX-License-Identifier: ISC */
/*
 * The order of attempts.  getdns neither repeats a lost packet nor goes on to
 * the next server within one query, so all of this is ours.
 */
#include "attempts.h"

#include "dns.h"

enum {
	STRIKES = 2,       /* refusals after which a server is left alone */
	SHARES = 6,        /* the time left is divided into at most so many */
	ATTEMPT_MIN = 300, /* ms */
	ATTEMPT_MAX = 1500 /* ms */
};

enum { WAYS = 2 };
enum { END = -1 };

/* The protocols of one server, round by round. */
static const int8_t by_udp[DNS_ROUNDS][WAYS] = { { DNS_BY_UDP, END },
	{ DNS_BY_UDP, END }, { DNS_BY_TCP, END } };
static const int8_t by_tcp[DNS_ROUNDS][WAYS] = { { DNS_BY_TCP, END },
	{ DNS_BY_TCP, END }, { DNS_BY_TCP, END } };
static const int8_t by_tls[DNS_ROUNDS][WAYS] = { { DNS_BY_TLS, END },
	{ DNS_BY_TLS, END }, { DNS_BY_TLS, END } };
/*
 * Over a network TCP comes first: a UDP answer is only as good as its source
 * address, which others on the path can forge.
 */
static const int8_t by_both[DNS_ROUNDS][WAYS] = { { DNS_BY_TCP, DNS_BY_UDP },
	{ DNS_BY_UDP, END }, { DNS_BY_TCP, END } };

static const int8_t (*ways(const struct dns_peer *peer,
    enum sts_transport transport, int64_t now))[WAYS]
{
	if (peer->tls)
		return by_tls; /* whoever asks for privacy gets it or nothing */
	if (transport == STS_TRANSPORT_TCP)
		return by_tcp;
	if (transport == STS_TRANSPORT_UDP ||
	    (peer->loopback && DNS_UDP_CONNECTED) || peer->tcp_dead > now)
		return by_udp;
	return by_both;
}

static void
add_server(struct dns_attempts *plan, const int8_t (*way)[WAYS], size_t server,
    uint8_t round)
{
	for (size_t i = 0; i < WAYS && way[round][i] != END; i++)
		plan->step[plan->nstep++] = (struct dns_attempt){
			.server = (uint8_t)server,
			.round = round,
			.proto = (enum dns_proto)way[round][i],
		};
}

void
dns_attempts_init(struct dns_attempts *plan, const struct dns_peer *peer,
    size_t n, enum sts_transport transport, int64_t now)
{
	*plan = (struct dns_attempts){ .why = DNS_WHY_OK };
	for (uint8_t round = 0; round < DNS_ROUNDS; round++)
		for (int dead = 0; dead < 2; dead++)
			for (size_t i = 0; i < n; i++)
				if (!peer[i].missing &&
				    (peer[i].dead > now) == (dead == 1))
					add_server(plan,
					    ways(&peer[i], transport, now), i,
					    round);
}

static bool
skipped(const struct dns_attempts *plan, const struct dns_attempt *step)
{
	return plan->strikes[step->server] >= STRIKES ||
	    plan->heard[step->server] == step->round + 1;
}

bool
dns_attempts_next(struct dns_attempts *plan, struct dns_attempt *out)
{
	if (plan->has_extra) {
		plan->has_extra = false;
		*out = plan->extra;
		return true;
	}
	while (plan->at < plan->nstep) {
		*out = plan->step[plan->at++];
		if (!skipped(plan, out))
			return true;
	}
	return false;
}

unsigned
dns_attempts_timeout(const struct dns_attempts *plan, unsigned left)
{
	unsigned n = 1, share;

	for (size_t i = plan->at; i < plan->nstep && n < SHARES; i++)
		if (!skipped(plan, &plan->step[i]))
			n++;
	if (n == 1)
		return left;
	share = left / n;
	if (share > ATTEMPT_MAX)
		share = ATTEMPT_MAX;
	if (share < ATTEMPT_MIN)
		share = ATTEMPT_MIN;
	return share < left ? share : left;
}

/* How much a failure tells: an answer of any kind more than silence. */
static unsigned
weight(enum dns_why why)
{
	static const uint8_t weights[] = {
		[DNS_WHY_TIMEOUT] = 1,
		[DNS_WHY_NETWORK] = 2,
		[DNS_WHY_MALFORMED] = 3,
		[DNS_WHY_TRUNCATED] = 4,
		[DNS_WHY_RCODE] = 5,
		[DNS_WHY_REFUSED] = 6,
		[DNS_WHY_SERVFAIL] = 7,
		[DNS_WHY_BOGUS] = 8,
		[DNS_WHY_NAME] = 9,
		[DNS_WHY_LOCAL] = 10,
	};

	return (size_t)why < ARRAY_LEN(weights) ? weights[why] : 0;
}

static bool
is_refusal(enum dns_why why)
{
	return why == DNS_WHY_SERVFAIL || why == DNS_WHY_REFUSED ||
	    why == DNS_WHY_RCODE;
}

void
dns_attempts_note(struct dns_attempts *plan, const struct dns_attempt *step,
    enum dns_why why, bool no_edns)
{
	if (weight(why) > weight(plan->why))
		plan->why = why;
	if (why == DNS_WHY_TRUNCATED && step->proto == DNS_BY_UDP) {
		plan->extra = *step; /* RFC 7766 5: ask again over TCP */
		plan->extra.proto = DNS_BY_TCP;
		plan->has_extra = true;
	} else if (no_edns && !plan->plain_tried[step->server]) {
		plan->extra = *step; /* RFC 6891 7: it does not know EDNS */
		plan->extra.plain = true;
		plan->has_extra = true;
		plan->plain_tried[step->server] = true;
	} else if (is_refusal(why) || why == DNS_WHY_MALFORMED) {
		plan->heard[step->server] = (uint8_t)(step->round + 1);
		plan->strikes[step->server] += is_refusal(why);
	}
}

void
dns_peer_note(struct dns_peer *peer, enum dns_proto proto, enum dns_why why,
    int64_t now)
{
	bool silent = why == DNS_WHY_TIMEOUT || why == DNS_WHY_NETWORK;

	if (!silent)
		peer->dead = 0;
	else if (proto != DNS_BY_TCP)
		peer->dead = now + DNS_DEAD_MS;
	if (proto == DNS_BY_TCP)
		peer->tcp_dead = silent ? now + DNS_DEAD_MS : 0;
}

/* --- Outcomes as words ---------------------------------------------------- */

const char *
dns_why_name(enum dns_why why)
{
	static const char *const names[] = {
		[DNS_WHY_OK] = "ok",
		[DNS_WHY_NXDOMAIN] = "nxdomain",
		[DNS_WHY_NODATA] = "nodata",
		[DNS_WHY_TIMEOUT] = "timeout",
		[DNS_WHY_SERVFAIL] = "servfail",
		[DNS_WHY_REFUSED] = "refused",
		[DNS_WHY_RCODE] = "rcode",
		[DNS_WHY_NETWORK] = "network",
		[DNS_WHY_BOGUS] = "bogus",
		[DNS_WHY_TRUNCATED] = "truncated",
		[DNS_WHY_MALFORMED] = "malformed",
		[DNS_WHY_NAME] = "name",
		[DNS_WHY_LOCAL] = "local",
	};

	return (size_t)why < ARRAY_LEN(names) ? names[why] : "?";
}
