/* SPDX-License-Identifier: ISC */
#include "waiting.h"

static uint64_t
hash(const struct waiting *w, const char *domain)
{
	uint64_t h = w->key;

	for (; *domain != '\0'; domain++) {
		h = (h ^ (unsigned char)*domain) * UINT64_C(0x100000001b3);
		h ^= h >> 29;
	}
	return h;
}

bool
waiting_for(const struct waiting *w, const char *domain, int64_t handed,
    int64_t began)
{
	uint64_t h = hash(w, domain);
	size_t i = h % WAITING_MEMO;
	int64_t ended = w->memo[i].hash == h ? w->memo[i].ended : 0;

	return handed <= began && began - handed <= WAITING_SPAN &&
	    (ended < handed || ended >= began);
}

void
waiting_ended(struct waiting *w, const char *domain, int64_t now)
{
	uint64_t h = hash(w, domain);
	size_t i = h % WAITING_MEMO;

	w->memo[i].hash = h;
	w->memo[i].ended = now;
}
