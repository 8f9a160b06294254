/* SPDX-License-Identifier: ISC */
#include "key_counts.h"

#include <stdlib.h>

#include "base/siphash.h"

enum { ROOM_FIRST = 256 };

void
key_counts_clear(struct key_counts *c)
{
	free(c->slot);
	c->slot = NULL;
	c->room = c->used = 0;
}

uint64_t
key_of(const struct key_counts *c, const struct sts_str *part, size_t n)
{
	uint64_t h[2] = { c->secret[0], c->secret[1] };

	for (size_t i = 0; i < n; i++)
		h[0] = sts_siphash(h, part[i]);
	return h[0] | 1;
}

/* Where the key is, or would be; there is always a free place. */
static struct key_count *
place(const struct key_counts *c, uint64_t key)
{
	size_t i = key / 2 % c->room; /* the last bit is set */

	while (c->slot[i].key != 0 && c->slot[i].key != key)
		i = (i + 1) % c->room;
	return &c->slot[i];
}

uint32_t
key_counts_get(const struct key_counts *c, uint64_t key)
{
	return c->room == 0 ? 0 : place(c, key)->n;
}

static bool
grow(struct key_counts *c)
{
	struct key_counts new = *c;

	new.room = c->room == 0 ? ROOM_FIRST : 2 * c->room;
	if ((new.slot = calloc(new.room, sizeof *new.slot)) == NULL)
		return false;
	for (size_t i = 0; i < c->room; i++)
		if (c->slot[i].key != 0)
			*place(&new, c->slot[i].key) = c->slot[i];
	free(c->slot);
	*c = new;
	return true;
}

bool
key_counts_set(struct key_counts *c, uint64_t key, uint32_t n)
{
	struct key_count *at;

	if (4 * (c->used + 1) > 3 * c->room && !grow(c))
		return false;
	at = place(c, key);
	c->used += at->key == 0;
	*at = (struct key_count){ key, n };
	return true;
}
