/* SPDX-License-Identifier: ISC */
/*
 * For mail software that leaves the choice of the MX host to us (OpenSMTPD),
 * and has an event loop: hosts from the cache, and a worker that is kept, by
 * which policies and MX sets are fetched before they are needed.
 */
#ifndef MTASTS_MX_H
#define MTASTS_MX_H

#include <mtasts/session.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/*
 * The MX host to try next for a domain whose mail goes over forced TLS, from
 * the cache alone: files of this host are read, nothing is waited for.  Under
 * an enforce policy only hosts that match it (RFC 8461 4.1); otherwise any of
 * the domain's hosts, for mail that was queued under a policy since gone.  An
 * old or missing MX set is asked for in the background, for 5 days after the
 * last such call. STS_TEMPFAIL: not known yet.  STS_INVALID: there is no host
 * to be tried (none matches, null MX, this machine is the best MX).  STS_LOCAL,
 * STS_NOMEM as for sts_query().  In each case mail must wait; err says why.
 */
enum sts_rc sts_mx_next(struct sts_ctx *, const char *domain,
    char host[STS_NAME_SIZE], struct sts_err *err);

/*
 * A session with a host that sts_mx_next() has named, at an address (text,
 * without brackets), failed before TLS was up or in it; or, failed false,
 * worked.  STS_USAGE: not an address.
 */
enum sts_rc sts_mx_learnt(struct sts_ctx *, const char *host,
    const char *address, bool failed, struct sts_err *err);

/* One answer of sts_mx_next() that named a host. */
struct sts_mx_offer {
	int64_t when; /* ms since 1970 */
	bool policy;  /* under an enforce policy; else any of its hosts */
	char domain[STS_NAME_SIZE], host[STS_NAME_SIZE];
};

/*
 * Those since a time (ms since 1970) whose host has this address, oldest first:
 * for whom a session with the address may be.  The last few thousand are kept,
 * unless the disk is full.  fn returns false to stop.  STS_USAGE: not an
 * address.
 */
typedef bool sts_mx_offer_fn(void *arg, const struct sts_mx_offer *);
enum sts_rc sts_mx_offers(struct sts_ctx *, const char *address, int64_t since,
    sts_mx_offer_fn *fn, void *arg, struct sts_err *err);

/* ms to wait for one domain: fetch_timeout, and some for a late worker. */
unsigned sts_timeout_ms(const struct sts_ctx *);

/* --- A kept worker ------------------------------------------------------- */

/*
 * A kept worker, for programs with an event loop: policies and MX sets are
 * fetched before they are needed.  None of these calls waits.
 */
struct sts_kept_worker;
/* Lends ctx; STS_LOCAL: cannot be started now, try again later. */
enum sts_rc sts_kept_worker_start(struct sts_ctx *ctx,
    struct sts_kept_worker **out, struct sts_err *err);
void sts_kept_worker_stop(struct sts_kept_worker *); /* NULL is fine */
/* For poll(2): POLLIN always, POLLOUT while it is wanted. */
int sts_kept_worker_in(const struct sts_kept_worker *);
/* -1: nothing to write */
int sts_kept_worker_out(const struct sts_kept_worker *);
/* STS_USAGE: not a policy domain.  STS_NOMEM.  Else sts_kept_worker_next() will
 * name the domain. */
enum sts_rc sts_kept_worker_ask(struct sts_kept_worker *, const char *domain,
    struct sts_err *err);
/* The same for the daily GET of its policy, where that is due; no MX set. */
enum sts_rc sts_kept_worker_refresh(struct sts_kept_worker *,
    const char *domain, struct sts_err *err);
/*
 * Move bytes; then one domain that is done, in sts_domain_normal() form:
 * STS_OK, and err->text has what the worker says of it, if anything.  The
 * result is in the cache, unless err->rc is STS_TEMPFAIL: the worker had no
 * place for it.  STS_ABSENT: none for now.  STS_LOCAL: the worker is gone.
 */
enum sts_rc sts_kept_worker_next(struct sts_kept_worker *,
    char domain[STS_NAME_SIZE], struct sts_err *err);

/*
 * sts_record_session() by way of a kept worker, for a session that the host did
 * not judge to its end: OK means that TLS is up, with whatever certificate, and
 * VALIDATION_FAILURE that it is not, for whatever reason.  The worker asks the
 * mx_host at receiving_ip for its certificate, an hour later at the earliest
 * again, and records the session as that says: a failure in any case, a
 * session that is OK only where the certificate could be looked at.  Does not
 * wait.  STS_USAGE: no host or no address.
 */
enum sts_rc sts_kept_worker_judge(struct sts_kept_worker *, struct sts_ctx *,
    const struct sts_session_report *, struct sts_err *err);

/*
 * As the reason of such a session that is OK: the host has verified the
 * certificate.  It is recorded as OK in any case but one: the worker finds
 * what the host overlooks, that there is no DNS name in it (RFC 8461 4.2), or
 * that it is not for servers.
 */
#define STS_REASON_VERIFIED "verified by the mail server"

/*
 * As the reason of such a session that failed: it was of one of several hosts
 * with that address, and perhaps of another one.  It is recorded where the
 * worker finds that TLS with this one fails.
 */
#define STS_REASON_SHARED "of one of the hosts at the address"

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
