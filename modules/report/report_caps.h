/* SPDX-License-Identifier: ISC */
/*
 * Who may be sent how many reports.  Whoever owns a domain says where its
 * reports go, also to people who never asked for any (RFC 8460 7); so what
 * one owner can have sent is bounded, to himself and, more tightly, to others.
 * One place to which the reports of many owners go is the normal case.  Pure.
 */
#ifndef REPORT_REPORT_CAPS_H
#define REPORT_REPORT_CAPS_H

#include "key_counts.h"
#include "outbox.h"

/*
 * Of the reports of one day.  An owner is a registrable domain; a place is a
 * mailbox without its tag ("+..."), or a host for https; outside is a place
 * that does not belong to the owner of the policy domain.
 */
enum {
	CAPS_PLACE = 1,          /* of an owner to a place */
	CAPS_OUTSIDE_DOMAIN = 1, /* of an owner to another one's places */
	CAPS_OUTSIDE = 4,        /* of an owner to places outside */
	CAPS_OWNER = 8,          /* of an owner in all */
};

struct report_caps {
	uint32_t max; /* of all others to the places of one owner */
	struct key_counts counts;
};

/* What a report counts for; mail and https apart, but in owner and foreign. */
struct caps_keys {
	bool outside;     /* the place is not the owner's */
	uint64_t place;   /* of the owner, to the place */
	uint64_t pair;    /* of the owner, to all places of the place's owner */
	uint64_t foreign; /* of the owner, to all places outside */
	uint64_t owner;   /* of the owner, to anywhere */
	uint64_t to;      /* of all, to the places of the place's owner */
};

/*
 * Of a report of that day; policy_owner and to_owner are registrable domains,
 * of the policy domain and of to->host.
 */
void caps_keys(const struct report_caps *, struct caps_keys *, const char *day,
    const char *policy_owner, const struct rua *to, const char *to_owner);

/*
 * DEST_WAITS: it may be sent, and is counted; or the state in which it is
 * withheld, for good.
 */
enum destination_state caps_take(struct report_caps *,
    const struct caps_keys *);

/* Count one that was let through in an earlier run. */
void caps_count(struct report_caps *, const struct caps_keys *);

#endif
