/* SPDX-License-Identifier: ISC */
/* The keys of [domain "example.com"] in mtasts.conf(5). */
#include "conf_load.h"

#include <stdlib.h>

#include "err.h"

static bool
take_domain_mode(struct sts_load *l, struct sts_domain_conf *d,
    struct sts_str v)
{
	static const struct sts_choice c[] = {
		{ "follow", STS_DOMAIN_FOLLOW },
		{ "off", STS_DOMAIN_OFF },
		{ "testing", STS_DOMAIN_TESTING },
		{ "enforce", STS_DOMAIN_ENFORCE },
	};
	int n = sts_conf_choose(v, c, ARRAY_LEN(c));

	if (l->domain_mode) {
		sts_conf_problem(l, "set-twice", "mode is set twice");
		return true;
	}
	l->domain_mode = true;
	d->mode = (enum sts_domain_mode)n;
	return n != -1;
}

/* Several lines of mx, or one with several patterns, make one list. */
static bool
take_domain_mx(struct sts_load *l, struct sts_domain_conf *d, struct sts_str v)
{
	struct scan s = scan_str(v);
	struct sts_str w;

	while (sts_conf_word(&s, &w))
		if (!sts_mx_valid(w.p, w.len))
			return false;
	if (d->mx == NULL) {
		d->mx = sts_conf_keep(l, v);
		return v.len > 0;
	}
	l->text[l->used - 1] = ' '; /* nothing is kept between two of them */
	sts_conf_keep(l, v);
	return v.len > 0;
}

void
sts_conf_domain_key(struct sts_load *l, const char *name, struct sts_str value)
{
	struct sts_domain_conf *d =
	    &((struct conf_all *)l->conf)->domain[l->conf->ndomain - 1];
	char shown[64];
	bool good;

	if (strcmp(name, "mode") == 0)
		good = take_domain_mode(l, d, value);
	else if (strcmp(name, "mx") == 0)
		good = take_domain_mx(l, d, value);
	else {
		sts_conf_problem(l, "unknown-key",
		    "unknown key \"%s\" of a domain",
		    sts_escape(shown, sizeof shown, str_of(name)));
		return;
	}
	if (!good)
		sts_conf_problem(l, "bad-value", "bad %s \"%s\": must be %s",
		    name, sts_escape(shown, sizeof shown, value),
		    name[1] == 'x' ? "MX patterns with blanks between"
				   : "follow, off, testing or enforce");
}

bool
sts_conf_domain_add(struct sts_load *l, const char *name)
{
	struct conf_all *all = (struct conf_all *)l->conf;
	struct sts_domain_conf *more;
	size_t room;

	if (l->conf->ndomain == l->room) {
		room = l->room == 0 ? 16 : l->room * 2;
		more = reallocarray(all->domain, room, sizeof *more);
		if (more == NULL) {
			l->rc = sts_fail(l->err, STS_NOMEM, 0,
			    "%s: out of memory", l->path);
			return false;
		}
		all->domain = more;
		l->room = room;
	}
	all->domain[l->conf->ndomain++] = (struct sts_domain_conf){
		.name = sts_conf_keep(l, str_of(name)),
		.line = l->line,
	};
	l->domain_mode = false;
	return true;
}
