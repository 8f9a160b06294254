/* SPDX-License-Identifier: ISC */
/* Where the part with what is rare lies, and the way into it. */
#include "rare.h"

#include <dlfcn.h>
#include <stdio.h>

#include "err.h"

/* Beside the module: who may replace the one may replace the other. */
static bool
part_path(char *path, size_t size)
{
	static const char here;
	Dl_info module;
	const char *slash = NULL, *p;
	int n;

	if (dladdr(&here, &module) == 0)
		return false;
	for (p = module.dli_fname; p != NULL && *p != '\0'; p++)
		if (*p == '/')
			slash = p;
	if (slash == NULL)
		return false;
	n = snprintf(path, size, "%.*s/%s", (int)(slash - module.dli_fname),
	    module.dli_fname, STS_RARE_FILE);
	return n > 0 && (size_t)n < size;
}

/*
 * NULL: it is missing, or of another build than the module, which is a fault
 * of this host.  It stays loaded, so to ask again costs little.
 */
static const struct sts_rare *
load(struct sts_err *err)
{
	char path[STS_PROGRAM_PATH] = STS_RARE_FILE;
	const struct sts_rare *part = NULL;
	void *so = NULL;

	if (part_path(path, sizeof path) &&
	    (so = dlopen(path, RTLD_NOW | RTLD_LOCAL)) != NULL)
		part = dlsym(so, STS_RARE);
	if (part != NULL && strcmp(part->version, sts_version()) == 0 &&
	    part->layout == STS_RARE_LAYOUT)
		return part;
	sts_fail(err, STS_LOCAL, 0, "%s %s", path,
	    so == NULL ? "cannot be loaded" : "is not of this version");
	return NULL;
}

enum sts_rc
sts_ask(struct sts_ctx *ctx, const char *domain, unsigned flags, int64_t now,
    const struct sts_entry *cached, struct sts_next *next, struct sts_err *err)
{
	const struct sts_rare *part = load(err);

	return part == NULL
	    ? STS_LOCAL
	    : part->ask(ctx, domain, flags, now, cached, next, err);
}

enum sts_rc
sts_ask_again(struct sts_ctx *ctx, const char *domain, struct sts_err *err)
{
	const struct sts_rare *part = load(err);

	return part == NULL ? STS_LOCAL : part->ask_again(ctx, domain, err);
}

void
sts_look_behind(struct sts_ctx *ctx, enum sts_mark want, const char *domain,
    int64_t now)
{
	const struct sts_rare *part = load(NULL);

	if (part != NULL)
		part->look_behind(ctx, want, domain, now);
}

void
sts_lost_make(const struct sts_spool *s)
{
	const struct sts_rare *part = load(NULL);

	if (part != NULL)
		part->lost_make(s);
}

bool
sts_lost_count(const struct sts_spool *s)
{
	const struct sts_rare *part = load(NULL);

	return part != NULL && part->lost_count(s);
}
