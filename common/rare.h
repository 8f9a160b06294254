/* SPDX-License-Identifier: ISC */
/*
 * What a hit has no use for, in an object of its own: rare_load.c, in a
 * module that is loaded for every message, loads rare_part.c when it comes to
 * it.  The functions of ask.c, spawn.c, spool_lost.c and of marks that are set
 * use 40 of libc that no hit needs, and each name costs a fresh process 0.2
 * us, more where the host has many libraries.
 */
#ifndef STS_RARE_H
#define STS_RARE_H

#include "ctx.h"
#include "decide.h"
#include "spool_dir.h"

/* What the part exports, and its file, which is beside the module's. */
#define STS_RARE "sts_rare"
#define STS_RARE_FILE "exim-rare.so"

struct sts_rare {
	/* First, for ever: the objects must be of one build. */
	const char *version;
	size_t layout; /* STS_RARE_LAYOUT */
	enum sts_rc (*ask)(struct sts_ctx *, const char *domain, unsigned flags,
	    int64_t now, const struct sts_entry *cached, struct sts_next *,
	    struct sts_err *err);
	enum sts_rc (*ask_again)(struct sts_ctx *, const char *domain,
	    struct sts_err *err);
	void (*look_behind)(struct sts_ctx *, enum sts_mark want,
	    const char *domain, int64_t now);
	void (*lost_make)(const struct sts_spool *);
	bool (*lost_count)(const struct sts_spool *);
};

/* Of what both objects see of each other. */
#define STS_RARE_LAYOUT                                                        \
	(sizeof(struct sts_rare) + sizeof(struct sts_ctx) +                    \
	    sizeof(struct sts_conf) + sizeof(struct sts_next) +                \
	    sizeof(struct sts_heard) + sizeof(struct sts_store) +              \
	    sizeof(struct sts_spool))

extern const struct sts_rare sts_rare;

#endif
