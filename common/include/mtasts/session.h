/* SPDX-License-Identifier: ISC */
/*
 * TLS reports, RFC 8460: who wants them, and the sessions that go into them.
 */
#ifndef MTASTS_SESSION_H
#define MTASTS_SESSION_H

#include <mtasts/sts.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum { STS_RUA_MAX = 8 };

/* Where reports go: mailto and https URIs, none twice, in their order. */
struct sts_tlsrpt {
	size_t n;
	struct sts_str rua[STS_RUA_MAX]; /* point into the records */
};

/*
 * Choose among the TXT records of _smtp._tls.DOMAIN, as sts_txt_select()
 * does.  URIs to which nothing can be sent are skipped; STS_INVALID, too,
 * where none is left.
 */
enum sts_rc sts_tlsrpt_select(struct sts_tlsrpt *out, const struct sts_str *txt,
    size_t n, sts_problem_fn *fn, void *arg, struct sts_err *err);

/* --- Sessions, RFC 8460 4.3 and 4.4 -------------------------------------- */

enum sts_session_result {
	STS_SESSION_OK,
	STS_STARTTLS_NOT_SUPPORTED, /* RFC 8460 4.3.1 */
	STS_CERTIFICATE_HOST_MISMATCH,
	STS_CERTIFICATE_EXPIRED,
	STS_CERTIFICATE_NOT_TRUSTED,
	STS_VALIDATION_FAILURE,
	STS_TLSA_INVALID, /* RFC 8460 4.3.2.1 */
	STS_DNSSEC_INVALID,
	STS_DANE_REQUIRED,
	STS_STS_POLICY_FETCH_ERROR, /* RFC 8460 4.3.2.2 */
	STS_STS_POLICY_INVALID,
	STS_STS_WEBPKI_INVALID,
	/* "a certificate was refused": which of the four above is found out
	 * from the certificate when the report is made */
	STS_CERTIFICATE_REFUSED
};

/*
 * What is known of a session with an MX host, or of one that could not be
 * had; RFC 8460 4.4 has the names.  NULL: not known.
 */
struct sts_session_report {
	const char *domain; /* next-hop domain, as for sts_query() */
	enum sts_session_result result;
	bool dane; /* TLSA records ruled it, and domain is their base, the
		    * MX host (RFC 8460 1.1, RFC 7672 2.2.3) */
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
 * network.  STS_ABSENT: the domain can have no report, or its sessions of today
 * are lost for it, which was said before.  Any other failure: the session is
 * lost for the report, which is to be logged and no reason to hold mail up.
 */
enum sts_rc sts_record_session(struct sts_ctx *,
    const struct sts_session_report *, struct sts_err *err);

/* The options of "mtasts report", as its usage shows them. */
#define STS_REPORT_USAGE                                                       \
	"[--dry-run] [--print] [--day YYYY-MM-DD|yesterday|today] "            \
	"[--domain NAME] | --forward | --status [--json] | "                   \
	"--sandbox-test [--abi N]"

struct sts_report_options {
	const char *conf;           /* of -c; points into argv */
	int64_t day;                /* when it begins; -1: any */
	char domain[STS_NAME_SIZE]; /* its normal form; "": any */
	bool dry_run, print, forward, status, json, sandbox_test;
	uint64_t abi; /* of landlock(7), at most */
	bool today;   /* --day today */
};

/*
 * Parse argv[1] and what follows; now: the clock, for "today".  STS_ABSENT:
 * --help.  STS_USAGE: wrong options.  Uses getopt_long(3).
 */
enum sts_rc sts_report_options_parse(struct sts_report_options *, int argc,
    char **argv, int64_t now, struct sts_err *err);

/*
 * The program that makes and sends reports, and whose it must be when it
 * runs.  STS_ABSENT: there are none, for want of a contact.  STS_LOCAL: the
 * spool directory is not as it must be.
 */
enum { STS_PROGRAM_PATH = 1200 };
enum sts_rc sts_report_program(struct sts_ctx *, char path[STS_PROGRAM_PATH],
    unsigned *uid, unsigned *gid, struct sts_err *err);

/*
 * Is it the sender of this host's reports?  Their sessions are not recorded
 * (RFC 8460 5.3.1).
 */
bool sts_report_sender(const struct sts_ctx *, const char *address);

/*
 * Is it a report?  It is held to no policy (RFC 8460 3), so the address alone,
 * which anybody can use, does not make it one: a program of this host must
 * have handed it in as uid, the owner of the spool directory.
 */
bool sts_report_mail(const struct sts_ctx *, unsigned uid, const char *address);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
