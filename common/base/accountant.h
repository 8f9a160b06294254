/* SPDX-License-Identifier: ISC */
/*
 * Places that strangers use: whoever pays for a domain, an address, a session
 * may have some, but never the last.  Pure.
 *
 * A key may have another place as long as it has fewer than are free.  So one
 * that is alone gets half of them and is not slowed down, a second gets half of
 * the rest, and what a flood of one key is refused is there for the next key.
 */
#ifndef STS_BASE_ACCOUNTANT_H
#define STS_BASE_ACCOUNTANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STS_ACCOUNT_KEYS = 2,   /* that one place may be counted for */
	STS_ACCOUNT_MAX = 4096, /* places */
};

struct sts_accountant {
	size_t max, taken; /* places */
	size_t n, room;    /* of row */
	struct sts_account {
		uint64_t key;
		size_t taken;
	} * row;
};

/*
 * Whose a place is: keyed hashes, so that nobody can choose to be somebody
 * else; 0: no such key.
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
