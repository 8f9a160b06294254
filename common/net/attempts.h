/* SPDX-License-Identifier: ISC */
/*
 * In which order one question goes to the nameservers, how long each attempt
 * may take, and which of several failures is told.  Pure: the clock and the
 * outcomes come in from outside.
 */
#ifndef STS_NET_ATTEMPTS_H
#define STS_NET_ATTEMPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "dns.h"

enum {
	DNS_ROUNDS = 3,
	DNS_ATTEMPTS_MAX = STS_SERVERS_MAX * (DNS_ROUNDS + 1),
	DNS_DEAD_MS = 60 * 1000 /* how long a silent server comes last */
};

/* Does the kernel see to it that a UDP answer comes from the server asked? */
#if defined(__linux__)
#define DNS_UDP_CONNECTED true
#else
#define DNS_UDP_CONNECTED false
#endif

enum dns_proto { DNS_BY_UDP, DNS_BY_TCP, DNS_BY_TLS };

/* What is known of a nameserver from one question to the next. */
struct dns_peer {
	bool loopback, tls;
	bool missing; /* the interface of its scope: not to be asked now */
	int64_t dead, tcp_dead; /* until when, ms of any steady clock */
};

struct dns_attempt {
	uint8_t server, round;
	enum dns_proto proto;
	bool plain; /* without EDNS, RFC 6891 */
};

struct dns_attempts {
	struct dns_attempt step[DNS_ATTEMPTS_MAX], extra;
	size_t nstep, at;
	bool has_extra;
	bool plain_tried[STS_SERVERS_MAX];
	uint8_t strikes[STS_SERVERS_MAX]; /* answers that were refusals */
	uint8_t heard[STS_SERVERS_MAX];   /* 1 + last round with an answer */
	enum dns_why why;                 /* the most telling failure yet */
};

void dns_attempts_init(struct dns_attempts *, const struct dns_peer *, size_t n,
    enum sts_transport, int64_t now);

/* The next attempt; false when there is none left. */
bool dns_attempts_next(struct dns_attempts *, struct dns_attempt *out);

/* Milliseconds that the attempt just handed out may take of left. */
unsigned dns_attempts_timeout(const struct dns_attempts *, unsigned left);

/* How an attempt failed; no_edns: it may do without EDNS. */
void dns_attempts_note(struct dns_attempts *, const struct dns_attempt *,
    enum dns_why why, bool no_edns);

/* The same for the memory of the server; OK is an outcome, too. */
void dns_peer_note(struct dns_peer *, enum dns_proto, enum dns_why,
    int64_t now);

#endif
