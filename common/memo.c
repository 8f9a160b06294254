/* SPDX-License-Identifier: ISC */
#include "memo.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "policy.h"
#include "store_dir.h"

/* A domain may stand in each of the WAYS rows of its set, as in a cache. */
enum { SETS = 128, WAYS = 4 };

struct row {
	uint64_t hash;
	struct sts_policy *policy; /* NULL: nothing here */
	struct sts_stamp stamp;
	struct sts_entry entry; /* without body */
	int64_t used;
	char domain[STS_NAME_SIZE];
};

struct sts_memo {
	unsigned next; /* who goes for the next */
	struct row row[SETS][WAYS];
};

static struct row *
find(struct sts_memo *m, uint64_t hash, const char *domain)
{
	struct row *set = m->row[hash % SETS];

	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].hash == hash && set[i].policy != NULL &&
		    strcmp(set[i].domain, domain) == 0)
			return &set[i];
	return NULL;
}

static uint64_t
hash_of(const char *domain)
{
	return sts_hash_fold(sts_hash(str_of(domain)));
}

bool
sts_memo_recall(struct sts_memo *m, const struct sts_store *store,
    const char *path, const char *domain, struct sts_slot *slot,
    struct sts_policy **policy)
{
	struct row *r = m == NULL ? NULL : find(m, hash_of(domain), domain);

	if (r == NULL || !sts_store_same(store, path, &r->stamp))
		return false;
	sts_slot_clear(slot);
	slot->entry = r->entry;
	slot->used = r->used;
	slot->stamp = r->stamp;
	*policy = sts_policy_share(r->policy);
	return true;
}

static bool
settled(struct timespec t, int64_t now)
{
	return t.tv_sec < now - STS_MEMO_SETTLED;
}

void
sts_memo_keep(struct sts_memo **memo, const char *domain,
    const struct sts_slot *slot, struct sts_policy *policy, int64_t now)
{
	uint64_t hash = hash_of(domain);
	struct row *r;

	if (slot->entry.body.len > STS_MEMO_BODY_MAX ||
	    !settled(slot->stamp.changed, now) ||
	    !settled(slot->stamp.modified, now) ||
	    (*memo == NULL && (*memo = calloc(1, sizeof **memo)) == NULL))
		return;
	if ((r = find(*memo, hash, domain)) == NULL)
		r = &(*memo)->row[hash % SETS][(*memo)->next++ % WAYS];
	sts_policy_free(r->policy);
	r->hash = hash;
	r->policy = sts_policy_share(policy);
	r->stamp = slot->stamp;
	r->entry = slot->entry;
	r->entry.body = (struct sts_str){ "", 0 };
	r->used = slot->used;
	memcpy(r->domain, domain, strlen(domain) + 1);
}

void
sts_memo_free(struct sts_memo *m)
{
	if (m == NULL)
		return;
	for (unsigned i = 0; i < SETS; i++)
		for (unsigned k = 0; k < WAYS; k++)
			sts_policy_free(m->row[i][k].policy);
	free(m);
}
