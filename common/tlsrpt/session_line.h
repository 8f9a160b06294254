/* SPDX-License-Identifier: ISC */
/*
 * One TLS session with an MX host as it is recorded for the reports of
 * RFC 8460: a struct and a line of text.
 *
 * A session in which the policy could be kept is a success (RFC 8460 4.2.1),
 * any other a failure of one of the types of RFC 8460 4.3.  Much of it was said
 * by strangers: the line holds no byte of theirs that is not printable.
 */
#ifndef STS_TLSRPT_SESSION_LINE_H
#define STS_TLSRPT_SESSION_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scan.h"
#include <mtasts/session.h>
#include <mtasts/sts.h>

enum {
	STS_SESSION_LINE_MAX = 4096, /* with its newline */
	STS_SESSION_TEXT_MAX = 256,  /* of each text, longer ones are cut */
	STS_SESSION_DER_MAX = 8192,  /* a larger certificate is left out */
	STS_SESSION_CERT = 33        /* the name of a certificate, with a NUL */
};

/* policy-type, RFC 8460 4.4 */
enum sts_policy_type {
	STS_TYPE_NO_POLICY_FOUND,
	STS_TYPE_STS,
	STS_TYPE_TLSA, /* DANE, RFC 7672; the domain is the MX host's */
	STS_TYPES
};

const char *sts_policy_type_name(enum sts_policy_type);

/* The word of RFC 8460 4.3; "" for OK, "validation-failure" for REFUSED. */
const char *sts_session_result_name(enum sts_session_result);

struct sts_session {
	int64_t time;
	struct sts_str domain; /* policy domain, A-labels (RFC 8460 1.1) */
	enum sts_policy_type type;
	enum sts_mode mode; /* in force */
	struct sts_str id;  /* of the policy; may be empty */
	enum sts_session_result result;
	/* RFC 8460 4.4; empty where not known */
	struct sts_str sending_ip, mx_host, mx_helo, receiving_ip, reason;
	/* The leaf certificate of a failed session: DER for who records it,
	 * the name under which the spool has it for who reads the line. */
	struct sts_str der, cert;
};

/*
 * The line with its newline; buf of STS_SESSION_LINE_MAX bytes.  Always fits:
 * texts are cut, and what is not the name of a certificate is left out.  0: no
 * policy domain, time or enum.
 */
size_t sts_session_encode(char *buf, const struct sts_session *);

/*
 * A line without its newline.  False for anything odd.  Texts point into the
 * line, which is changed: escapes are undone in place.
 */
bool sts_session_decode(struct sts_session *, char *line, size_t len);

/* Is it the name of a certificate? */
bool sts_session_is_cert(struct sts_str name);

/*
 * What stands where a line has its domain, for who passes over most lines;
 * false: it is no line.
 */
bool sts_session_domain(struct sts_str line, struct sts_str *domain);

#endif
