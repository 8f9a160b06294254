/* SPDX-License-Identifier: ISC */
/*
 * libmtasts: what a mail sender must know of MTA-STS, RFC 8461.
 *
 * Times are seconds since 1970 (UTC).  Strings handed out are lent and live
 * as long as the object they were asked of, unless said otherwise.  Nothing
 * here exits, aborts, prints, starts a thread, changes a signal handler or
 * keeps state outside the objects below.  After fork(2) an object may be used
 * by one of the two processes.  Not for two threads at a time.
 */
#ifndef MTASTS_STS_H
#define MTASTS_STS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default) /* all else in the library is hidden */

/* How a call went; what a domain says is another matter (sts_verdict). */
enum sts_rc {
	STS_OK = 0,   /* the call did what its name says */
	STS_ABSENT,   /* asked, and there is none */
	STS_TEMPFAIL, /* could not ask: timeout, SERVFAIL */
	STS_INVALID,  /* what was judged breaks its rules */
	STS_LOCAL,    /* this host's fault: cache, configuration, worker */
	STS_NOMEM,
	STS_USAGE /* the caller broke the contract of this header */
};

/* Why a call did not return STS_OK.  The caller's, never allocated. */
struct sts_err {
	enum sts_rc rc;
	unsigned line;  /* of the text that was judged; 0: means nothing */
	char text[240]; /* one line, printable ASCII, fit for a mail log */
};

/* Bytes from outside: borrowed, not terminated, may hold NUL. */
struct sts_str {
	const char *p;
	size_t len;
};

/* One remark about a text under judgement; lent for the call. */
struct sts_problem {
	bool fatal; /* false: accepted all the same */
	unsigned line;
	const char *code; /* stable, for programs: "mx-syntax" */
	const char *text; /* one line, printable ASCII */
};
typedef void sts_problem_fn(void *arg, const struct sts_problem *);

const char *sts_version(void);
const char *sts_rc_name(enum sts_rc);

/* --- Domain names ------------------------------------------------------ */

enum { STS_NAME_SIZE = 256, STS_ID_SIZE = 33 };

/*
 * The policy domain of a next-hop domain (3.4): lower case, without trailing
 * dot, brackets or port ("[Example.Com]:25" -> "example.com").  STS_ABSENT:
 * nothing that can have a policy (address literal, not a host name).
 * STS_INVALID: bytes over 0x7f; convert to A-labels first.
 */
enum sts_rc sts_domain_normal(char out[STS_NAME_SIZE], const char *name,
    struct sts_err *err);

/*
 * Does an MX host name, as the MX record has it, match one mx pattern (4.1)?
 * "*." stands for exactly one label.  Case and one trailing dot of host do
 * not matter.  False where either is not a domain name in A-labels.
 */
bool sts_mx_match(const char *host, const char *pattern);

/* May this stand as the value of mx (3.2)? */
bool sts_mx_valid(const char *pattern, size_t len);

/* Can an MX host ever match it?  False for what looks like an address. */
bool sts_mx_usable(const char *pattern);

/* --- TXT record, 3.1 --------------------------------------------------- */

struct sts_record {
	char id[STS_ID_SIZE];
};

/*
 * Choose among the TXT records of _mta-sts.DOMAIN, each with its strings
 * joined.  STS_ABSENT: none speaks of STSv1.  STS_INVALID: more than one
 * does, or the one breaks the syntax.  fn, unless NULL, hears each remark.
 */
enum sts_rc sts_record_select(struct sts_record *out, const struct sts_str *txt,
    size_t n, sts_problem_fn *fn, void *arg, struct sts_err *err);

/* --- TXT record for reports, RFC 8460 3 ---------------------------------- */

enum { STS_RUA_MAX = 8 };

/* Where reports go: mailto and https URIs, none twice, in their order. */
struct sts_tlsrpt {
	size_t n;
	struct sts_str rua[STS_RUA_MAX]; /* point into the records */
};

/*
 * Choose among the TXT records of _smtp._tls.DOMAIN, as sts_record_select()
 * does.  URIs to which nothing can be sent are skipped; STS_INVALID, too,
 * where none is left.
 */
enum sts_rc sts_tlsrpt_select(struct sts_tlsrpt *out, const struct sts_str *txt,
    size_t n, sts_problem_fn *fn, void *arg, struct sts_err *err);

/* --- Policy, 3.2 ------------------------------------------------------- */

enum sts_mode { STS_MODE_NONE, STS_MODE_TESTING, STS_MODE_ENFORCE };

/* An accepted policy.  Immutable; free with sts_policy_free(). */
struct sts_policy;

/*
 * Parse a policy body.  It need not end in NUL and is not kept.  On STS_OK
 * *out is the caller's; otherwise *out is NULL and err, unless NULL, has the
 * first fatal problem.  fn, unless NULL, hears all problems of the body.
 */
enum sts_rc sts_policy_parse(struct sts_policy **out, const char *body,
    size_t len, sts_problem_fn *fn, void *arg, struct sts_err *err);

const char *sts_mode_name(enum sts_mode);
enum sts_mode sts_policy_mode(const struct sts_policy *);
uint32_t sts_policy_max_age(const struct sts_policy *); /* s, clamped */
size_t sts_policy_mx_count(const struct sts_policy *);
const char *sts_policy_mx(const struct sts_policy *, size_t); /* lower case */
void sts_policy_free(struct sts_policy *);                    /* NULL is fine */

/* --- Certificates ------------------------------------------------------ */

/*
 * Does the certificate (DER) carry a subjectAltName of type dNSName that
 * names host, 3.3 and 4.2?  A wildcard counts only as the whole left-most
 * label.  host NULL: any dNSName at all.  Says nothing about trust.
 */
bool sts_cert_has_dns_id(const void *der, size_t len, const char *host);

/* --- Asking ------------------------------------------------------------ */

/* Configuration and cache of one process. */
struct sts_ctx;

/*
 * Read the configuration: an absolute path, or NULL for the default file,
 * which may be missing.  STS_LOCAL: it has an error; err names file and line.
 */
enum sts_rc sts_open(struct sts_ctx **out, const char *conf,
    struct sts_err *err);
void sts_close(struct sts_ctx *); /* NULL is fine */

/*
 * The same for an open context: what was waited for still counts against the
 * 30 s.  *ctx may be NULL; on failure it is, and what it was is closed.
 */
enum sts_rc sts_reopen(struct sts_ctx **ctx, const char *conf,
    struct sts_err *err);

/*
 * Has the configuration file changed since sts_open(), or is the directory of
 * the cache or of recorded sessions another one than the one in use?
 */
bool sts_stale(const struct sts_ctx *);

/* ms that are to be waited for one domain: fetch_timeout. */
unsigned sts_timeout_ms(const struct sts_ctx *);

/*
 * Judge a configuration file, NULL as for sts_open(); fn hears each problem,
 * without the file and line that err has in its text.
 */
enum sts_rc sts_conf_check(const char *conf, sts_problem_fn *fn, void *arg,
    struct sts_err *err);

enum sts_verdict {
	STS_NO_POLICY,  /* deliver as if MTA-STS did not exist */
	STS_POLICY,     /* apply it */
	STS_CANNOT_TELL /* defer: the configuration wants it so */
};

enum sts_source { STS_FROM_CONFIG, STS_FROM_CACHE, STS_FROM_NETWORK };

struct sts_answer {
	enum sts_verdict verdict;
	enum sts_mode mode;     /* to be applied; NONE unless STS_POLICY */
	enum sts_source source; /* NETWORK: asked, or fetched, just now */
	bool unasked; /* could not ask; the verdict follows dns_failure,
		       * or "cold" where nobody asked yet (STS_BEHIND) */
	const struct sts_policy *policy;   /* as published; NULL: none known */
	char id[STS_ID_SIZE];              /* "" where there is none */
	int64_t fetched, checked, expires; /* 0 where it means nothing */
	char why[240];                     /* one line, printable ASCII */
};

enum sts_query_flag {
	STS_FRESH = 1 << 0,   /* look at the TXT record before answering */
	STS_REFETCH = 1 << 1, /* and fetch the policy even if the id is old */
	STS_OFFLINE = 1 << 2, /* the cache alone; no worker is started */
	STS_BEHIND = 1 << 3   /* never waits: the cache alone, and what is due
			       * is asked for in the background; where nothing
			       * was known within the hour the verdict follows
			       * "cold"; FRESH and REFETCH mean nothing */
};

/*
 * The policy in force for a next-hop domain.  On STS_OK *out is the caller's.
 * STS_LOCAL, STS_NOMEM: a fault of this host; mail must wait (err says why).
 * Waits for the network at most fetch_timeout, in sum over the life of the
 * ctx at most 30 s; then cold domains follow dns_failure at once.
 */
enum sts_rc sts_query(struct sts_ctx *, const char *domain, unsigned flags,
    struct sts_answer **out, struct sts_err *err);
void sts_answer_free(struct sts_answer *); /* NULL is fine */

/*
 * A delivery to the domain failed under its policy: the next sts_query()
 * looks for a newer one first (RFC 8461 5), at most once in 5 minutes.
 */
enum sts_rc sts_failed(struct sts_ctx *, const char *domain,
    struct sts_err *err);

/* --- Choosing the MX host, for hosts that leave it to us (OpenSMTPD) ----- */

/*
 * The MX host to try next for a domain whose mail goes over forced TLS, from
 * the cache alone: files of this host are read, nothing is waited for.  Under
 * an enforce policy only hosts that match it (4.1); otherwise any of the
 * domain's hosts, for mail that was queued under a policy since gone.  An old
 * or missing MX set is asked for in the background, for 5 days after the last
 * such call.
 * STS_TEMPFAIL: not known yet.  STS_INVALID: there is no host to be tried
 * (none matches, null MX, this machine is the best MX).  STS_LOCAL, STS_NOMEM
 * as for sts_query().  In each case mail must wait; err says why.
 */
enum sts_rc sts_mx_next(struct sts_ctx *, const char *domain,
    char host[STS_NAME_SIZE], struct sts_err *err);

/*
 * A session with an MX address (text, without brackets) failed before TLS was
 * up or in it; or, failed false, worked.  STS_USAGE: not an address.
 */
enum sts_rc sts_mx_learnt(struct sts_ctx *, const char *address, bool failed,
    struct sts_err *err);

/*
 * The answers of sts_mx_next() since a time (ms since 1970) that named a host
 * with this address, oldest first: for whom a session with the address may
 * be.  Noted only where the configuration has a contact for reports; the last
 * few thousand are kept.  fn returns false to stop.  STS_USAGE: not an address.
 */
typedef bool sts_mx_handed_fn(void *arg, int64_t when, const char *domain,
    const char *host);
enum sts_rc sts_mx_handed(struct sts_ctx *, const char *address, int64_t since,
    sts_mx_handed_fn *fn, void *arg, struct sts_err *err);

/*
 * A kept worker, for programs with an event loop: policies and MX sets are
 * fetched before they are needed.  None of these calls waits.
 */
struct sts_kept;
/* Lends ctx; STS_LOCAL: cannot be started now, try again later. */
enum sts_rc sts_kept_start(struct sts_ctx *ctx, struct sts_kept **out,
    struct sts_err *err);
void sts_kept_stop(struct sts_kept *); /* NULL is fine */
/* For poll(2): POLLIN always, POLLOUT while it is wanted. */
int sts_kept_in(const struct sts_kept *);
int sts_kept_out(const struct sts_kept *); /* -1: nothing to write */
/* STS_USAGE: not a policy domain.  STS_NOMEM.  Else domain will be told of. */
enum sts_rc sts_kept_ask(struct sts_kept *, const char *domain,
    struct sts_err *err);
/*
 * Move bytes; then one domain that is done, in sts_domain_normal() form:
 * STS_OK.  STS_ABSENT: none for now.  STS_LOCAL: the worker is gone.
 */
enum sts_rc sts_kept_next(struct sts_kept *, char domain[STS_NAME_SIZE],
    struct sts_err *err);

/* --- Sessions for TLS reports, RFC 8460 --------------------------------- */

enum sts_session_result {
	STS_SESSION_OK,
	STS_STARTTLS_NOT_SUPPORTED, /* 4.3.1 */
	STS_CERTIFICATE_HOST_MISMATCH,
	STS_CERTIFICATE_EXPIRED,
	STS_CERTIFICATE_NOT_TRUSTED,
	STS_VALIDATION_FAILURE,
	STS_TLSA_INVALID, /* 4.3.2.1 */
	STS_DNSSEC_INVALID,
	STS_DANE_REQUIRED,
	STS_STS_POLICY_FETCH_ERROR, /* 4.3.2.2 */
	STS_STS_POLICY_INVALID,
	STS_STS_WEBPKI_INVALID,
	/* "a certificate was refused": which of the four above is found out
	 * from the certificate when the report is made */
	STS_CERTIFICATE_REFUSED
};

/*
 * What is known of a session with an MX host, or of one that could not be
 * had; 4.4 has the names.  NULL: not known.
 */
struct sts_seen {
	const char *domain; /* next-hop domain, as for sts_query() */
	enum sts_session_result result;
	bool dane; /* TLSA records ruled it, and domain is their base, the
		    * MX host (1.1, RFC 7672 2.2.3) */
	const char *sending_ip, *mx_host, *mx_helo, *receiving_ip;
	const char *reason; /* failure-reason-code: anybody's words */
	const void *der;    /* the leaf certificate of a failure */
	size_t der_len;
};

/* Is anything recorded at all?  Without a contact for reports it is not. */
bool sts_records(const struct sts_ctx *);

/*
 * Record a session for the report of today (UTC), held to the policy that
 * sts_query() last told of, or else to the one in the cache.  Does nothing
 * unless the configuration has a contact for reports.  Never waits for the
 * network.  STS_ABSENT: the domain can have no report.  Any other failure: the
 * session is lost for the report, which is no reason to hold mail up.
 */
enum sts_rc sts_record_session(struct sts_ctx *, const struct sts_seen *,
    struct sts_err *err);

/*
 * The same by way of a kept worker, for a session that the host did not judge
 * to its end: OK means that TLS is up, with whatever certificate, and
 * VALIDATION_FAILURE that it is not, for whatever reason.  The worker asks the
 * mx_host at receiving_ip for its certificate, an hour later at the earliest
 * again, and records the session as that says: a failure in any case, a
 * session that is OK only where the certificate could be looked at.  Does not
 * wait.  STS_USAGE: no host or no address.
 */
enum sts_rc sts_kept_judge(struct sts_kept *, struct sts_ctx *,
    const struct sts_seen *, struct sts_err *err);

/*
 * The program that makes and sends reports, and whose it must be when it
 * runs.  STS_ABSENT: there are none, for want of a contact.  STS_LOCAL: the
 * spool directory is not as it must be.
 */
enum { STS_PROGRAM_PATH = 1200 };
enum sts_rc sts_report_program(struct sts_ctx *, char path[STS_PROGRAM_PATH],
    unsigned *uid, unsigned *gid, struct sts_err *err);

/*
 * Is it the sender of this host's reports?  Its mail is held to no policy, and
 * its sessions are not recorded (RFC 8460 3, 5.3.1).
 */
bool sts_report_sender(const struct sts_ctx *, const char *address);

/* --- The cache, for administrators ------------------------------------- */

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

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
