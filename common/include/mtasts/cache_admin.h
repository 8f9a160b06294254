/* SPDX-License-Identifier: ISC */
/* Configuration and cache, for administrators. */
#ifndef MTASTS_CACHE_ADMIN_H
#define MTASTS_CACHE_ADMIN_H

#include <mtasts/sts.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * Judge a configuration file, NULL as for sts_open(); fn hears each problem,
 * without the file and line that err has in its text.
 */
enum sts_rc sts_conf_check(const char *conf, sts_problem_fn *fn, void *arg,
    struct sts_err *err);

/* --- Entries ------------------------------------------------------------- */

enum sts_row_kind {
	STS_ROW_POLICY,
	STS_ROW_NONE,     /* asked: no usable TXT record */
	STS_ROW_NO_FETCH, /* a record, but no policy to be had */
	STS_ROW_UNASKED,  /* could not ask; tried again later */
	STS_ROW_BROKEN    /* counts as absent */
};

struct sts_row {
	const char *domain;
	enum sts_row_kind kind;
	struct sts_answer answer; /* verdict etc. of STS_ROW_POLICY */
	struct sts_str body;      /* the policy as received */
	int64_t used;             /* last use, to the day */
	int64_t until; /* when the entry ends: expiry, or the next try */
};

/* Every entry, in no order; fn returns false to stop. */
typedef bool sts_row_fn(void *arg, const struct sts_row *);
enum sts_rc sts_cache_walk(struct sts_ctx *, sts_row_fn *fn, void *arg,
    struct sts_err *err);
enum sts_rc sts_cache_get(struct sts_ctx *, const char *domain, sts_row_fn *fn,
    void *arg, struct sts_err *err);

/* One address of an MX host; times of 0: never. */
struct sts_mx_address {
	const char *text;
	int64_t failed; /* a session with it, before TLS or in it */
	int64_t probed; /* a connection was tried */
	int64_t down;   /* and got no answer */
};

struct sts_mx_row {
	const char *kind;     /* "hosts", "implicit", "null", "nothing" */
	int64_t asked, until; /* of the whole set */
	const char *host;     /* NULL: the set has none, and this is all */
	uint16_t preference;
	bool self; /* one of the addresses is this machine's */
	size_t naddr;
	const struct sts_mx_address *addr;
};

/* The MX set of a domain, best first; STS_ABSENT: none in the cache. */
typedef bool sts_mx_row_fn(void *arg, const struct sts_mx_row *);
enum sts_rc sts_mx_walk(struct sts_ctx *, const char *domain, sts_mx_row_fn *fn,
    void *arg, struct sts_err *err);

/* STS_ABSENT: there was nothing to remove. */
enum sts_rc sts_cache_remove(struct sts_ctx *, const char *domain,
    struct sts_err *err);

/* Remove what is past its use; *n, unless NULL, counts entries. */
enum sts_rc sts_cache_prune(struct sts_ctx *, size_t *n, struct sts_err *err);

/* --- The daily refresh --------------------------------------------------- */

/* A policy that was asked for. */
struct sts_refreshed {
	const char *domain;
	bool fetched;    /* false: the one in the cache stays, while it lives */
	int64_t expires; /* of what is in the cache now */
	const char *why; /* it was not fetched; one line, printable ASCII */
	size_t n, of;    /* n of these are done */
};

struct sts_refresh_sum {
	size_t fetched, failed;
	size_t left; /* due, left for the next run */
	size_t removed;
};

/*
 * GET each policy in use that is due, as each is once a day (RFC 8461 3.3,
 * 10.2), by a worker, many at once, those first that expire first; then
 * sts_cache_prune().  To be called every hour.  A run has a limit, and goes on
 * where the last one ended, however that was.  fn returns false to stop.
 * STS_ABSENT: another process is at it.  STS_LOCAL: a fault of this host ended
 * it, or kept some from being fetched.  The sum counts in any case.
 */
typedef bool sts_refreshed_fn(void *arg, const struct sts_refreshed *);
enum sts_rc sts_cache_refresh(struct sts_ctx *, sts_refreshed_fn *fn, void *arg,
    struct sts_refresh_sum *, struct sts_err *err);

/* --- The way out --------------------------------------------------------- */

/*
 * STS_OK: since then, the policy hosts of so many owners of domains could not
 * be connected to, one after the other: something seems to block outgoing TCP
 * to port 443.  STS_ABSENT: nothing like that is known.
 */
struct sts_outbound {
	unsigned owners;
	int64_t since;
};
enum sts_rc sts_outbound_blocked(struct sts_ctx *, struct sts_outbound *,
    struct sts_err *err);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
