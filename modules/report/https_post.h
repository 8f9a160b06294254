/* SPDX-License-Identifier: ISC */
/* Reports over HTTPS, RFC 8460 5.4, many at once. */
#ifndef REPORT_HTTPS_POST_H
#define REPORT_HTTPS_POST_H

#include "base/addr.h"
#include "conf/conf.h"
#include "post_status.h"
#include "rules/rua.h"

enum { POST_ADDR_MAX = 8 };

struct event_base;
struct posts;

struct post_answer {
	enum post_fate fate;
	bool silent; /* nobody there spoke HTTP */
	/* Those that were tried, and no connection came of it. */
	struct sts_addr dead[POST_ADDR_MAX];
	size_t ndead;
	char why[160]; /* unless it was taken; one printable line */
};

/* From the loop; the answer is lent.  May start another. */
typedef void post_done(void *arg, const struct post_answer *);

/* NULL: no CA certificates, or no memory.  conf is lent. */
struct posts *posts_new(struct event_base *, const struct sts_conf *,
    struct sts_err *err);
void posts_free(struct posts *); /* all are done; NULL is fine */

/*
 * POST the compressed report, which is lent until done, to one of the
 * addresses, and to none that gate_refuses().  False: we cannot, and done is
 * not called.
 */
bool post_start(struct posts *, const struct rua *, const struct sts_addr *,
    size_t naddr, const void *body, size_t len, post_done *done, void *arg);

#endif
