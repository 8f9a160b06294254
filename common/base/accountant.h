/* SPDX-License-Identifier: ISC */
/*
 * Shares a limited number of places among strangers, so that none of them can
 * take all.  Pure.
 *
 * A key gets another place as long as it has fewer than are free: one that is
 * alone can have half of all places, a second one half of the rest, and so on.
 * Where this library cannot be used, the same rule is applied by
 * modules/worker/machine_locks.c (many processes) and by waiting_rcpts.c and
 * rcpt_prefetch.c of modules/opensmtpd.
 */
#ifndef STS_BASE_ACCOUNTANT_H
#define STS_BASE_ACCOUNTANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STS_ACCOUNT_KEYS = 2,   /* that share one place */
	STS_ACCOUNT_MAX = 4096, /* places */
};

struct sts_accountant {
	size_t max, taken; /* places */
	size_t n;          /* of row */
	struct sts_account {
		uint64_t key;
		size_t taken;
	} * row;
};

/*
 * Whose a place is.  Keyed hashes, so that nobody can be taken for somebody
 * else on purpose; 0: no such key.
 */
struct sts_account_keys {
	uint64_t key[STS_ACCOUNT_KEYS];
};

/* max places, at most STS_ACCOUNT_MAX.  False: no memory. */
bool sts_accountant_init(struct sts_accountant *, size_t max);
void sts_accountant_clear(struct sts_accountant *);

/* Has each of the keys fewer places than are free? */
bool sts_accountant_may(const struct sts_accountant *,
    const struct sts_account_keys *);

/* Only after sts_accountant_may(); and give it back, with the same keys. */
void sts_accountant_take(struct sts_accountant *,
    const struct sts_account_keys *);
void sts_accountant_give_back(struct sts_accountant *,
    const struct sts_account_keys *);

#endif
