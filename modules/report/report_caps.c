/* SPDX-License-Identifier: ISC */
#include "report_caps.h"

/* Without tag and quotes, in lower case: most servers deliver all of these to
 * one mailbox. */
static struct sts_str
mailbox(char out[RUA_SIZE], const struct rua *to)
{
	const char *at = strrchr(to->address, '@');
	size_t n = 0;

	for (const char *p = to->address; p < at && *p != '+'; p++)
		if (*p != '"' && *p != '\\')
			out[n++] = to_lower(*p);
	for (const char *p = at; *p != '\0'; p++)
		out[n++] = *p;
	return (struct sts_str){ out, n };
}

void
caps_keys(const struct report_caps *c, struct caps_keys *k, const char *day,
    const char *policy_owner, const struct rua *to, const char *to_owner)
{
	char box[RUA_SIZE];
	struct sts_str of = str_of(policy_owner), at = str_of(to_owner);
	struct sts_str place =
	    to->kind == RUA_MAIL ? mailbox(box, to) : str_of(to->host);
	struct sts_str kind = str_of(to->kind == RUA_MAIL ? "mail" : "https");
	struct sts_str on = str_of(day);

	k->outside = strcmp(policy_owner, to_owner) != 0;
	k->place = key_of(&c->counts,
	    (struct sts_str[]){ str_of("place"), on, kind, of, place }, 5);
	k->pair = key_of(&c->counts,
	    (struct sts_str[]){ str_of("pair"), on, kind, of, at }, 5);
	k->foreign = key_of(&c->counts,
	    (struct sts_str[]){ str_of("foreign"), on, of }, 3);
	k->owner = key_of(&c->counts,
	    (struct sts_str[]){ str_of("owner"), on, of }, 3);
	k->to = key_of(&c->counts,
	    (struct sts_str[]){ str_of("to"), on, kind, at }, 4);
}

static void
add(struct key_counts *c, uint64_t key)
{
	/* Without memory a cap may be missed; the others hold. */
	(void)key_counts_set(c, key, key_counts_get(c, key) + 1);
}

void
caps_count(struct report_caps *c, const struct caps_keys *k)
{
	add(&c->counts, k->place);
	add(&c->counts, k->owner);
	if (!k->outside)
		return;
	add(&c->counts, k->to);
	add(&c->counts, k->pair);
	add(&c->counts, k->foreign);
}

enum destination_state
caps_take(struct report_caps *c, const struct caps_keys *k)
{
	const struct key_counts *n = &c->counts;

	if (key_counts_get(n, k->place) >= CAPS_PLACE)
		return DEST_WITHHELD_PLACE;
	if (k->outside && key_counts_get(n, k->pair) >= CAPS_OUTSIDE_DOMAIN)
		return DEST_WITHHELD_OUTSIDE;
	if (key_counts_get(n, k->owner) >= CAPS_OWNER ||
	    (k->outside && key_counts_get(n, k->foreign) >= CAPS_OUTSIDE))
		return DEST_WITHHELD_OWNER;
	if (k->outside && key_counts_get(n, k->to) >= c->max)
		return DEST_WITHHELD_FULL;
	caps_count(c, k);
	return DEST_WAITS;
}
