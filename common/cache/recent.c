/* SPDX-License-Identifier: ISC */
#include "recent.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "entry_files.h"
#include "rules/policy.h"

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

struct sts_recent {
	unsigned next; /* who goes for the next */
	struct row row[SETS][WAYS];
};

static struct row *
find(struct sts_recent *m, uint64_t hash, const char *domain)
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
sts_recent_recall(struct sts_recent *m, const struct sts_store *store,
    const char *path, const char *domain, struct sts_loaded *loaded,
    struct sts_policy **policy)
{
	struct row *r = m == NULL ? NULL : find(m, hash_of(domain), domain);

	if (r == NULL || !sts_store_same(store, path, &r->stamp))
		return false;
	sts_loaded_clear(loaded);
	loaded->entry = r->entry;
	loaded->used = r->used;
	loaded->stamp = r->stamp;
	*policy = sts_policy_share(r->policy);
	return true;
}

static bool
settled(struct timespec t, int64_t now)
{
	return t.tv_sec < now - STS_RECENT_SETTLED;
}

void
sts_recent_keep(struct sts_recent **memo, const char *domain,
    const struct sts_loaded *loaded, struct sts_policy *policy, int64_t now)
{
	uint64_t hash = hash_of(domain);
	struct row *r;

	if (loaded->entry.body.len > STS_RECENT_BODY_MAX ||
	    !settled(loaded->stamp.changed, now) ||
	    !settled(loaded->stamp.modified, now) ||
	    (*memo == NULL && (*memo = calloc(1, sizeof **memo)) == NULL))
		return;
	if ((r = find(*memo, hash, domain)) == NULL)
		r = &(*memo)->row[hash % SETS][(*memo)->next++ % WAYS];
	sts_policy_free(r->policy);
	r->hash = hash;
	r->policy = sts_policy_share(policy);
	r->stamp = loaded->stamp;
	r->entry = loaded->entry;
	r->entry.body = (struct sts_str){ "", 0 };
	r->used = loaded->used;
	memcpy(r->domain, domain, strlen(domain) + 1);
}

void
sts_recent_free(struct sts_recent *m)
{
	if (m == NULL)
		return;
	for (unsigned i = 0; i < SETS; i++)
		for (unsigned k = 0; k < WAYS; k++)
			sts_policy_free(m->row[i][k].policy);
	free(m);
}
