/* SPDX-License-Identifier: ISC */
/*
 * What came back from a policy host, as bytes and facts without a judgement:
 * the edge (http.h) fills it in, the rule (policy_reply.h) judges it.
 */
#ifndef STS_RULES_HTTP_REPLY_H
#define STS_RULES_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

enum {
	STS_BODY_MAX = 65536,   /* RFC 8461 3.3 suggests 64 kilobytes */
	STS_HEADER_MAX = 16384, /* all header lines of a reply in sum */
	STS_TYPE_MAX = 512      /* media types: what is longer is refused */
};

/* How far the exchange came. */
enum sts_reply_end {
	STS_REPLY_COMPLETE, /* a whole reply, of whatever status */
	STS_REPLY_TIMEOUT,  /* the deadline passed */
	STS_REPLY_CONNECT,  /* no TCP connection to any of the addresses */
	STS_REPLY_TLS,      /* handshake failed, but not by the certificate */
	STS_REPLY_CERT,     /* certificate refused: see cert */
	STS_REPLY_TOO_BIG,  /* body or header over the limit: was cut off */
	STS_REPLY_CUT,      /* ended before its announced length */
	STS_REPLY_PROTOCOL, /* not HTTP, or HTTP/0.9 */
	STS_REPLY_LOCAL     /* our own trouble: CA bundle, memory, sockets */
};

/* Why a certificate was refused, the same words for every TLS library. */
enum sts_cert {
	STS_CERT_OK,
	STS_CERT_HOST_MISMATCH,
	STS_CERT_EXPIRED,
	STS_CERT_NOT_YET_VALID,
	STS_CERT_NOT_TRUSTED, /* unknown issuer, self-signed, broken chain */
	STS_CERT_NO_DNS_ID,   /* RFC 8461 3.3: a SAN of type dNSName needed */
	STS_CERT_OTHER
};

/* Was there a connection, whatever came over it? */
enum sts_reach {
	STS_REACH_UNKNOWN, /* for want of something of ours, none was tried */
	STS_REACH_NONE,    /* to none of the addresses */
	STS_REACH_MADE
};

struct sts_reply {
	unsigned waited; /* ms for its turn, which its timeout does not count */
	enum sts_reply_end end;
	enum sts_cert cert;
	enum sts_reach reach;
	long status; /* HTTP status of the last reply; 0: none came */
	/*
	 * True where the end of the body was announced (Content-Length or
	 * chunked).  Without it an attacker could cut the body at any byte.
	 */
	bool delimited;
	/* Raw value; "" where missing, and full where it was cut. */
	char content_type[STS_TYPE_MAX];
	const char *body; /* lent; at most STS_BODY_MAX bytes */
	size_t len;
	char why[160]; /* one line, printable ASCII, for a log; may be "" */
};

#endif
