/* SPDX-License-Identifier: ISC */
/*
 * What the owners of domains have used of a day in the spool, so that the
 * sessions of one cannot take the room of all others:
 *
 *   DAY~shares = magic, key, total of certificates, "the day is full",
 *                2 * 4096 * ( bytes of lines, bytes of certificates )
 *
 * Numbers in the byte order of this machine, of 32 bits each.  The key is
 * random.  An owner has two counters, chosen by two keyed hashes; what he has
 * used is the lower of them, so an owner that shares one with a large owner is
 * not charged for that.  There is no lock: of two processes that count at the
 * same time one may be lost, and the numbers are a little too low then.
 *
 * The owner is a guess (sts_domain_owner), and with a short name below a
 * country anybody can be as many owners as he likes.  So the last two labels
 * are charged, too, and have a share that is four times as large.
 */
#ifndef STS_TLSRPT_SHARES_H
#define STS_TLSRPT_SHARES_H

#include "spool.h"

struct sts_shares {
	int fd;
	uint64_t max;    /* bytes of a day's file */
	uint64_t key[4]; /* two of siphash.h */
};

/*
 * The caller has the owner's ids, here and below.  False: there are none, or
 * they cannot be read (or made, where make is true).
 */
bool sts_shares_open(struct sts_shares *, const struct sts_spool *,
    const char *day, bool make);
void sts_shares_close(struct sts_shares *);

enum sts_share_answer {
	STS_SHARE_CHARGED,
	STS_SHARE_REFUSED,       /* for the first time, to be logged */
	STS_SHARE_REFUSED_AGAIN, /* and not to be logged */
	STS_SHARE_UNKNOWN        /* the counters cannot be read or written */
};

/* A line of a session of domain, which is in the second half of the file. */
enum sts_share_answer sts_shares_line(struct sts_shares *,
    struct sts_str domain, size_t bytes);

/* A certificate, which takes blocks of the disk. */
enum sts_share_answer sts_shares_cert(struct sts_shares *,
    struct sts_str domain, size_t bytes);

/* The day's file is full: REFUSED, REFUSED_AGAIN or UNKNOWN. */
enum sts_share_answer sts_shares_full(struct sts_shares *);

#endif
