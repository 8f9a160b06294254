/* SPDX-License-Identifier: ISC */
/*
 * Whether a configuration that asks for less than the one before was meant to.
 * Where one has pinned policies, "mode = enforce" or "dns_failure = defer", a
 * link in the cache remembers that, and which file it was:
 *
 *   ~config = link to "mtasts-config1:" inode ":" size ":" time of change
 *
 * A file that vanished, is empty, or was rewritten in place a moment ago is
 * then a fault of this host.  One that was replaced by rename(2) is complete.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "cache/entry_files.h"
#include "query.h"

enum { BEING_WRITTEN = 2 /* s */, TEXT = 112 };
static const char link_name[] = "~config", new_name[] = "~config.new";

static bool
guards(const struct sts_conf *c)
{
	if (c->dns_failure == STS_DNS_DEFER)
		return true;
	for (size_t i = 0; i < c->ndomain; i++)
		if (c->domain[i].mx != NULL ||
		    c->domain[i].mode == STS_DOMAIN_ENFORCE)
			return true;
	return false;
}

static void
text_of(char text[TEXT], const struct sts_conf_file *f)
{
	snprintf(text, TEXT,
	    "mtasts-config1:%" PRIu64 ":%" PRId64 ":%" PRId64 ":%" PRId64,
	    f->inode, f->size, f->seconds, f->nanoseconds);
}

/* Where it cannot be written nothing is lost that was there before. */
static void
remember(struct sts_store *s, const struct sts_conf *c)
{
	char text[TEXT];
	struct sts_ids ids;

	text_of(text, &c->file);
	if (!sts_store_enter(s, &ids))
		return;
	/* Replaced in one step: others look at it meanwhile. */
	if (!guards(c))
		(void)unlinkat(s->fd, link_name, 0);
	else if (unlinkat(s->fd, new_name, 0) == 0 || errno == ENOENT) {
		if (symlinkat(text, s->fd, new_name) == 0)
			(void)renameat(s->fd, new_name, s->fd, link_name);
	}
	sts_store_leave(&ids);
}

/* Rewritten in place, then: text is as text_of() has it. */
static bool
same_inode(const char *text, const char *was)
{
	size_t n = strcspn(text, ":") + 1;

	n += strcspn(text + n, ":") + 1;
	return strncmp(text, was, n) == 0;
}

enum sts_rc
sts_config_guard(struct sts_store *store, const struct sts_conf *c,
    const char *path, struct sts_err *err)
{
	int64_t age = sts_now() - c->file.seconds;
	char was[TEXT], now[TEXT];
	ssize_t n = sts_store_readlink(store, link_name, was, sizeof was - 1);

	if (n == -1 && errno == ENOENT) {
		if (guards(c))
			remember(store, c);
		return STS_OK;
	}
	was[n < 0 ? 0 : n] = '\0';
	text_of(now, &c->file);
	if (strcmp(was, now) == 0)
		return STS_OK;
	if (c->file.size == 0)
		return sts_fail(err, STS_LOCAL, 0,
		    "%s is gone or empty, and it had rules that protect mail: "
		    "put it back, or remove %s/%s if that is meant",
		    path, c->cache_dir, link_name);
	if (same_inode(now, was) && age >= 0 && age < BEING_WRITTEN)
		return sts_fail(err, STS_LOCAL, 0,
		    "%s was changed less than 2 s ago and may not be complete "
		    "yet",
		    path);
	remember(store, c);
	return STS_OK;
}
