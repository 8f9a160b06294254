/* SPDX-License-Identifier: ISC */
#include "net/attempts.h"
#include "row.h"

enum { NOW = 1000000 };

/* "0t" is server 0 by TCP, "1u" by UDP, "2s" by TLS, "+" without EDNS. */
static void
note_step(char **p, const struct dns_attempt *step)
{
	static const char protos[] = {
		[DNS_BY_UDP] = 'u',
		[DNS_BY_TCP] = 't',
		[DNS_BY_TLS] = 's',
	};

	*(*p)++ = (char)('0' + step->server);
	*(*p)++ = protos[step->proto];
	if (step->plain)
		*(*p)++ = '+';
	*(*p)++ = ' ';
	**p = '\0';
}

/*
 * Each letter of outcomes is how one attempt ends, the last for all that
 * follow: t timeout, n network, s SERVFAIL, r REFUSED, m malformed,
 * c truncated, f FORMERR.
 */
static enum dns_why
outcome(char c, bool *no_edns)
{
	*no_edns = c == 'f';
	switch (c) {
	case 't':
		return DNS_WHY_TIMEOUT;
	case 'n':
		return DNS_WHY_NETWORK;
	case 's':
		return DNS_WHY_SERVFAIL;
	case 'r':
		return DNS_WHY_REFUSED;
	case 'm':
		return DNS_WHY_MALFORMED;
	case 'c':
		return DNS_WHY_TRUNCATED;
	default:
		return DNS_WHY_RCODE;
	}
}

static const struct plan_case {
	const char *what;
	enum sts_transport transport;
	const char *peers; /* r remote, l loopback, s TLS, m missing; upper
			    * case: dead */
	const char *outcomes, *steps;
	enum dns_why why;
} plan_cases[] = {
	{ "remote: TCP first", STS_TRANSPORT_AUTO, "r", "t", "0t 0u 0u 0t ",
	    DNS_WHY_TIMEOUT },
	{ "loopback: UDP, UDP, TCP", STS_TRANSPORT_AUTO, "l", "t", "0u 0u 0t ",
	    DNS_WHY_TIMEOUT },
	{ "UDP asked for", STS_TRANSPORT_UDP, "r", "t", "0u 0u 0t ",
	    DNS_WHY_TIMEOUT },
	{ "TCP asked for", STS_TRANSPORT_TCP, "l", "t", "0t 0t 0t ",
	    DNS_WHY_TIMEOUT },
	{ "TLS and nothing else", STS_TRANSPORT_UDP, "s", "n", "0s 0s 0s ",
	    DNS_WHY_NETWORK },
	{ "one without its interface is not asked", STS_TRANSPORT_AUTO, "ml",
	    "s", "1u 1u ", DNS_WHY_SERVFAIL },
	{ "nor where there is no other", STS_TRANSPORT_AUTO, "m", "t", "",
	    DNS_WHY_OK },
	{ "no server", STS_TRANSPORT_AUTO, "", "t", "", DNS_WHY_OK },
	{ "all servers in each round", STS_TRANSPORT_AUTO, "ll", "t",
	    "0u 1u 0u 1u 0t 1t ", DNS_WHY_TIMEOUT },
	{ "a dead one comes last", STS_TRANSPORT_AUTO, "Ll", "t",
	    "1u 0u 1u 0u 1t 0t ", DNS_WHY_TIMEOUT },
	{ "all dead: order of the file", STS_TRANSPORT_AUTO, "LL", "t",
	    "0u 1u 0u 1u 0t 1t ", DNS_WHY_TIMEOUT },
	{ "TCP was refused before: UDP first", STS_TRANSPORT_AUTO, "R", "t",
	    "0u 0u 0t ", DNS_WHY_TIMEOUT },
	{ "TCP refused: the same server by UDP", STS_TRANSPORT_AUTO, "rr", "nt",
	    "0t 0u 1t 1u 0u 1u 0t 1t ", DNS_WHY_NETWORK },
	{ "SERVFAIL: the next server", STS_TRANSPORT_AUTO, "rr", "st",
	    "0t 1t 1u 0u 1u 0t 1t ", DNS_WHY_SERVFAIL },
	{ "two SERVFAIL are enough", STS_TRANSPORT_AUTO, "r", "s", "0t 0u ",
	    DNS_WHY_SERVFAIL },
	{ "two refusals of each", STS_TRANSPORT_AUTO, "ll", "r", "0u 1u 0u 1u ",
	    DNS_WHY_REFUSED },
	{ "another question: the next server", STS_TRANSPORT_AUTO, "rl", "mt",
	    "0t 1u 0u 1u 0t 1t ", DNS_WHY_MALFORMED },
	{ "truncated: TCP at once", STS_TRANSPORT_AUTO, "ll", "cst",
	    "0u 0t 1u 0u 1u 0t 1t ", DNS_WHY_SERVFAIL },
	{ "truncated by TCP: go on", STS_TRANSPORT_TCP, "r", "c", "0t 0t 0t ",
	    DNS_WHY_TRUNCATED },
	{ "truncated, and no TCP", STS_TRANSPORT_UDP, "r", "cncnn",
	    "0u 0t 0u 0t 0t ", DNS_WHY_TRUNCATED },
	{ "FORMERR: once without EDNS", STS_TRANSPORT_AUTO, "l", "f",
	    "0u 0u+ 0u ", DNS_WHY_RCODE },
	{ "FORMERR of each", STS_TRANSPORT_AUTO, "ll", "fffft",
	    "0u 0u+ 1u 1u+ 0u 1u 0t 1t ", DNS_WHY_RCODE },
	{ "silence tells less than a refusal", STS_TRANSPORT_UDP, "l", "rtt",
	    "0u 0u 0t ", DNS_WHY_REFUSED },
};

static void
order(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(plan_cases); i++) {
		const struct plan_case *c = &plan_cases[i];
		struct dns_peer peer[STS_SERVERS_MAX] = { { .loopback = 0 } };
		const char *end = c->outcomes;
		char steps[256] = "", *p = steps;
		struct dns_attempts plan;
		struct dns_attempt step;
		enum dns_why why;
		bool no_edns;

		for (size_t k = 0; c->peers[k] != '\0'; k++) {
			peer[k].loopback = to_lower(c->peers[k]) == 'l';
			peer[k].tls = c->peers[k] == 's';
			peer[k].missing = c->peers[k] == 'm';
			if (c->peers[k] == 'R')
				peer[k].tcp_dead = NOW + 1;
			else if (c->peers[k] == 'L')
				peer[k].dead = NOW + 1;
		}
		dns_attempts_init(&plan, peer, strlen(c->peers), c->transport,
		    NOW);
		while (dns_attempts_next(&plan, &step) &&
		    (size_t)(p - steps) < sizeof steps - 8) {
			note_step(&p, &step);
			why = outcome(*end, &no_edns);
			dns_attempts_note(&plan, &step, why, no_edns);
			if (end[1] != '\0')
				end++;
		}
		ROW(strcmp(steps, c->steps) == 0 && plan.why == c->why,
		    "%s: %s(%s)", c->what, steps, dns_why_name(plan.why));
	}
	rows_done();
}

/* Shares of the time: every attempt gets one, and never more than is left. */
static void
timeouts(void **state)
{
	static const struct {
		const char *what;
		size_t servers;
		unsigned left, share;
	} cases[] = {
		{ "one remote server: four attempts", 1, 4000, 1000 },
		{ "no more than 1.5 s", 1, 60000, 1500 },
		{ "no less than 0.3 s", 1, 400, 300 },
		{ "but not more than is left", 1, 100, 100 },
		{ "eight servers: six shares", 8, 6000, 1000 },
		{ "nothing is left", 1, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dns_peer peer[STS_SERVERS_MAX] = { { .loopback = 0 } };
		struct dns_attempts plan;
		struct dns_attempt step;

		dns_attempts_init(&plan, peer, cases[i].servers,
		    STS_TRANSPORT_AUTO, NOW);
		ROW(dns_attempts_next(&plan, &step) &&
			dns_attempts_timeout(&plan, cases[i].left) ==
			    cases[i].share,
		    "%s: %u", cases[i].what,
		    dns_attempts_timeout(&plan, cases[i].left));
		while (dns_attempts_next(&plan, &step))
			;
		ROW(dns_attempts_timeout(&plan, cases[i].left) == cases[i].left,
		    "%s: the last one takes the rest", cases[i].what);
	}
	rows_done();
}

static void
memory(void **state)
{
	static const struct {
		const char *what;
		enum dns_proto proto;
		enum dns_why why;
		bool dead, tcp_dead; /* both were set before: what is left */
	} cases[] = {
		{ "UDP answers", DNS_BY_UDP, DNS_WHY_OK, false, true },
		{ "UDP says SERVFAIL", DNS_BY_UDP, DNS_WHY_SERVFAIL, false,
		    true },
		{ "UDP is silent", DNS_BY_UDP, DNS_WHY_TIMEOUT, true, true },
		{ "TCP answers", DNS_BY_TCP, DNS_WHY_NXDOMAIN, false, false },
		{ "TCP refused", DNS_BY_TCP, DNS_WHY_NETWORK, true, true },
		{ "TLS answers", DNS_BY_TLS, DNS_WHY_OK, false, true },
	};
	struct dns_peer fresh = { .loopback = false };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dns_peer peer = { .dead = NOW + 1, .tcp_dead = NOW + 1 };

		dns_peer_note(&peer, cases[i].proto, cases[i].why, NOW);
		ROW((peer.dead > NOW) == cases[i].dead &&
			(peer.tcp_dead > NOW) == cases[i].tcp_dead,
		    "%s", cases[i].what);
	}
	/* No TCP is no reason to ask another server first. */
	dns_peer_note(&fresh, DNS_BY_TCP, DNS_WHY_NETWORK, NOW);
	ROW(fresh.dead == 0 && fresh.tcp_dead == NOW + DNS_DEAD_MS,
	    "only TCP is dead");
	rows_done();
}

static void
names(void **state)
{
	(void)state;
	for (int i = DNS_WHY_OK; i <= DNS_WHY_LOCAL; i++)
		for (int k = DNS_WHY_OK; k <= DNS_WHY_LOCAL; k++)
			ROW((strcmp(dns_why_name((enum dns_why)i),
				 dns_why_name((enum dns_why)k)) == 0) ==
				(i == k),
			    "%d and %d: %s", i, k,
			    dns_why_name((enum dns_why)i));
	ROW(strcmp(dns_why_name((enum dns_why)99), "?") == 0, "unknown");
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order),
		cmocka_unit_test(timeouts),
		cmocka_unit_test(memory),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests_name("dns_plan", tests, NULL, NULL);
}
