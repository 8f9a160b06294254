/* SPDX-License-Identifier: ISC */
/*
 * The MX set of a domain, RFC 5321 5.1: as a struct, as bytes, and which of
 * its hosts is tried next under RFC 8461 (4.1, 5.1, 8.4).
 *
 * Exim chooses hosts itself.  OpenSMTPD takes one host from us for each
 * attempt, so here is the whole of what a mail server does with MX records.
 * Pure functions; the bytes are as hostile as any from the network.
 */
#ifndef STS_RULES_MX_SET_H
#define STS_RULES_MX_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/scan.h"
#include <mtasts/sts.h>

enum {
	STS_MX_HOSTS_MAX = 32, /* the best ones; more are left out */
	STS_MX_ADDRS_MAX = 8,  /* of one host */
	STS_MX_BYTES_MAX = 24576,
	STS_MX_TTL_MIN = 300, /* bounds of how long a set may be kept, s */
	STS_MX_TTL_MAX = 86400,
	STS_MX_FAILED_SPAN = 3600, /* s a failed session counts: RFC 5321 5.1
				    * leaves it open; smtpd tries again after
				    * 400, 1600, 3600 s */
	STS_MX_DOWN_SPAN = 3600,   /* s an unanswered probe counts, unless a
				    * later one is answered: smtpd does not
				    * say which address it could not reach */
	STS_MX_PROBE_SPAN = 600,   /* s after which a probe is repeated */
	STS_MX_KEEP = 5 * 86400,   /* s a set is kept after it was asked for */
	STS_MX_RELAYED_GAP = 86400 /* s between two marks of that */
};

enum sts_mx_kind {
	STS_MX_UNKNOWN,  /* nothing usable: ask */
	STS_MX_HOSTS,    /* from MX records */
	STS_MX_IMPLICIT, /* no MX record: the domain is the one host */
	STS_MX_NULL,     /* RFC 7505: the domain takes no mail */
	STS_MX_NOTHING   /* no MX or address record that can be used */
};

struct sts_mx_host {
	char name[STS_NAME_SIZE]; /* lower case, no trailing dot */
	uint16_t preference;
	bool self; /* one of its addresses is this machine's */
	size_t naddr;
	struct sts_addr addr[STS_MX_ADDRS_MAX];
};

struct sts_mx_set {
	enum sts_mx_kind kind;
	int64_t asked; /* when the DNS answered */
	int64_t until; /* asked + TTL; later it is stale, but good until the
			* next answer (a set is never thrown away for age
			* alone while mail may wait for it) */
	size_t n;      /* by preference, best first */
	struct sts_mx_host host[STS_MX_HOSTS_MAX];
};

/* Text of the set; buf of STS_MX_BYTES_MAX bytes; 0: does not fit. */
size_t sts_mx_encode(char *buf, const struct sts_mx_set *, const char *domain);

/* False, and kind UNKNOWN, for anything odd. */
bool sts_mx_decode(struct sts_mx_set *, struct sts_str, const char *domain);

/* The set is to be asked for (again): UNKNOWN, over, or from the future. */
bool sts_mx_stale(const struct sts_mx_set *, int64_t now);

const char *sts_mx_kind_name(enum sts_mx_kind);

/* What is known of a host: its addresses' last failures; 0: never. */
struct sts_mx_seen {
	bool forbidden;                   /* the policy does not name it */
	int64_t failed[STS_MX_ADDRS_MAX]; /* in a session, before or in TLS */
	int64_t down[STS_MX_ADDRS_MAX];   /* no answer to a probe */
};

/*
 * The index of the host to try next, or -1 with the reason in err, which does
 * not name the domain:
 *   STS_INVALID   null MX, nothing there, no host matches the policy, or
 *                 this machine is the best MX (RFC 5321 5.1: hosts at and
 *                 behind our own preference are no way to deliver; counted
 *                 before any policy, RFC 8461 8.4)
 *   STS_TEMPFAIL  the set is UNKNOWN
 * seen has set->n rows.  Hosts of one preference are taken in an order that
 * random decides.  A host whose every address failed within STS_MX_FAILED_SPAN
 * or is down comes behind all others; among such, the one whose last failure is
 * oldest comes first, which starts over with the best.  One without addresses
 * comes last of all: no session with it can fail, so nothing would be learnt.
 */
int sts_mx_select(const struct sts_mx_set *, const struct sts_mx_seen *seen,
    int64_t now, uint32_t random, struct sts_err *err);

/* Which hosts the policy forbids (RFC 8461 4.1); NULL: none. */
void sts_mx_forbid(const struct sts_mx_set *, const struct sts_policy *,
    struct sts_mx_seen *seen);

#endif
