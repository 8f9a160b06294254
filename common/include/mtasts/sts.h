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

#include <stdint.h>

#include <mtasts/result.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default) /* all else in the library is hidden */

const char *sts_version(void);

/* --- Domain names ------------------------------------------------------ */

enum { STS_NAME_SIZE = 256, STS_ID_SIZE = 33 };

/*
 * The policy domain of a next-hop domain (RFC 8461 3.4): lower case, without
 * trailing dot, brackets or port ("[Example.Com]:25" -> "example.com").
 * STS_ABSENT: nothing that can have a policy (address literal, not a host
 * name). STS_INVALID: bytes over 0x7f; convert to A-labels first.
 */
enum sts_rc sts_domain_normal(char out[STS_NAME_SIZE], const char *name,
    struct sts_err *err);

/*
 * The part of a domain that its owner registered, by a guess that needs no
 * list: the last two labels, or three where the second is as short as those
 * that registries use below a country (co.uk, com.br).  Points into domain.
 * The worker looks into the public suffix list instead.
 */
struct sts_str sts_domain_owner(struct sts_str domain);

/*
 * Does an MX host name, as the MX record has it, match one mx pattern (RFC
 * 8461 4.1)?
 * "*." stands for exactly one label.  Case and one trailing dot of host do
 * not matter.  False where either is not a domain name in A-labels.
 */
bool sts_mx_match(const char *host, const char *pattern);

/* May this stand as the value of mx (RFC 8461 3.2)? */
bool sts_mx_valid(const char *pattern, size_t len);

/* Can an MX host ever match it?  False for what looks like an address. */
bool sts_mx_usable(const char *pattern);

/* --- TXT record, RFC 8461 3.1 ------------------------------------------- */

struct sts_txt {
	char id[STS_ID_SIZE];
};

/*
 * Choose among the TXT records of _mta-sts.DOMAIN, each with its strings
 * joined.  STS_ABSENT: none speaks of STSv1.  STS_INVALID: more than one
 * does, or the one breaks the syntax.  fn, unless NULL, hears each remark.
 */
enum sts_rc sts_txt_select(struct sts_txt *out, const struct sts_str *txt,
    size_t n, sts_problem_fn *fn, void *arg, struct sts_err *err);

/* --- Policy, RFC 8461 3.2 ----------------------------------------------- */

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
/* Is the host one of those that it names (RFC 8461 4.1)? */
bool sts_policy_permits(const struct sts_policy *, const char *host);
void sts_policy_free(struct sts_policy *); /* NULL is fine */

/* --- Certificates ------------------------------------------------------ */

/*
 * Does the certificate (DER) carry a subjectAltName of type dNSName that
 * names host (RFC 8461 3.3, 4.2)?  A wildcard counts only as the whole
 * left-most label.  host NULL: any dNSName at all.  Says nothing about trust.
 */
bool sts_cert_has_dns_id(const void *der, size_t len, const char *host);

/* May a TLS server show it: no extended key usage, or serverAuth among them? */
bool sts_cert_for_server(const void *der, size_t len);

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

enum sts_verdict {
	STS_MUST_WAIT, /* defer: too little is known; so says a zeroed answer */
	STS_POLICY,    /* apply it */
	STS_NO_POLICY  /* deliver as if MTA-STS did not exist */
};

/*
 * Why it is not known whether there is a policy.  Only a setting turns that
 * into STS_NO_POLICY; a fault of this host, which none does, is a return code.
 */
enum sts_unknown {
	STS_KNOWN,  /* it is known */
	STS_REMOTE, /* the domain's DNS could not be asked: dns_failure */
	STS_NOT_YET /* nobody looked yet, or the look is not over: cold */
};

enum sts_source { STS_FROM_CONFIG, STS_FROM_CACHE, STS_FROM_NETWORK };

struct sts_answer {
	enum sts_verdict verdict;
	enum sts_mode mode;     /* to be applied; NONE unless STS_POLICY */
	enum sts_source source; /* NETWORK: asked, or fetched, just now */
	enum sts_unknown unknown;
	bool unprotected; /* STS_NO_POLICY although there is a TXT record, or
			   * although it is not known whether there is */
	const struct sts_policy *policy;   /* as published; NULL: none known */
	char id[STS_ID_SIZE];              /* "" where there is none */
	int64_t fetched, checked, expires; /* 0 where it means nothing */
	char why[240];                     /* one line, printable ASCII */
};

enum sts_query_flag {
	STS_FRESH = 1 << 0,   /* look at the TXT record before answering */
	STS_REFETCH = 1 << 1, /* and fetch the policy even if the id is old */
	STS_OFFLINE = 1 << 2, /* the cache alone; no worker is started */
	/* Never waits: the cache alone, and what is due is asked for in the
	 * background; where nothing was known within the hour it is
	 * STS_NOT_YET.  FRESH and REFETCH mean nothing. */
	STS_NONBLOCKING = 1 << 3
};

/*
 * The policy in force for a next-hop domain.  On STS_OK *out is the caller's.
 * STS_LOCAL, STS_NOMEM: a fault of this host; mail must wait (err says why).
 * Waits for the network at most fetch_timeout, and 30 s in sum for a message.
 * Then the outcome of the last look is good enough if it is of the last day,
 * and else it is STS_NOT_YET; a look begins in the background.
 */
enum sts_rc sts_query(struct sts_ctx *, const char *domain, unsigned flags,
    struct sts_answer **out, struct sts_err *err);
void sts_answer_free(struct sts_answer *); /* NULL is fine */

/*
 * Another message: what was waited for the last one counts no more, but the
 * ms that other processes have waited for this one do.
 */
void sts_new_message(struct sts_ctx *, unsigned waited);

/*
 * A delivery to the domain failed under its policy: the next sts_query()
 * looks for a newer one first (RFC 8461 5), at most once in 5 minutes.
 */
enum sts_rc sts_failed(struct sts_ctx *, const char *domain,
    struct sts_err *err);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
