/* SPDX-License-Identifier: ISC */
#include "waiting.h"

#include "hash.h"

bool
waiting_for(const struct waiting *w, const char *domain, int64_t handed,
    int64_t began)
{
	uint64_t h = hash_name(w->key, domain);
	size_t i = h % WAITING_MEMO;
	int64_t ended = w->memo[i].hash == h ? w->memo[i].ended : 0;

	return handed <= began && began - handed <= WAITING_SPAN &&
	    (ended < handed || ended >= began);
}

void
waiting_ended(struct waiting *w, const char *domain, int64_t now)
{
	uint64_t h = hash_name(w->key, domain);
	size_t i = h % WAITING_MEMO;

	w->memo[i].hash = h;
	w->memo[i].ended = now;
}
