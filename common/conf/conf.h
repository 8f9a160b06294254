/* SPDX-License-Identifier: ISC */
/* The configuration file mtasts.conf(5) as a plain struct. */
#ifndef STS_CONF_CONF_H
#define STS_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "rules/decide.h"
#include <mtasts/cache_admin.h>
#include <mtasts/sts.h>

enum {
	STS_SERVERS_MAX = 8,
	STS_DENY_MAX = 64,
	STS_CONF_BYTES_MAX = 8 * 1024 * 1024
};

enum sts_flavour { STS_FLAVOUR_AUTO, STS_FLAVOUR_OPENSSL, STS_FLAVOUR_GNUTLS };

enum sts_transport {
	STS_TRANSPORT_AUTO, /* TCP first unless the server is on loopback */
	STS_TRANSPORT_UDP,  /* UDP first, TCP when truncated or unanswered */
	STS_TRANSPORT_TCP   /* TCP alone */
};

enum sts_dns_failure { STS_DNS_PROCEED, STS_DNS_DEFER };

/* What becomes of mail where it is not known yet whether there is a policy. */
enum sts_cold { STS_COLD_WAIT, STS_COLD_PROCEED };

struct sts_server {
	struct sts_addr addr;
	char scope[16];       /* interface of a link-local addr, or "" */
	unsigned short port;  /* 0: 53, or 853 with tls_name */
	const char *tls_name; /* DNS over TLS, RFC 7858, to this name */
};

struct sts_domain_conf {
	const char *name; /* lower case */
	const char *mx;   /* pinned patterns, blanks between; NULL: none */
	enum sts_domain_mode mode;
	unsigned line;
};

/* Where recorded sessions go; one or the other, or there are two reports. */
enum sts_sink {
	STS_SINK_SEND,  /* into reports that we make and send */
	STS_SINK_TLSRPT /* to the collector of libtlsrpt, which makes them */
};

/* [report]: TLS reports, RFC 8460. */
struct sts_report_conf {
	const char *contact;      /* RFC 8460 4.4; NULL: there are no reports */
	const char *organization; /* NULL: the domain of contact */
	const char *sender;       /* of the mail; set where contact is */
	const char *spool_dir;
	const char *sendmail;
	bool success;             /* also where there was no failure */
	unsigned jitter;          /* s after midnight at most, RFC 8460 4.1 */
	unsigned keep;            /* s a day is kept after its end */
	unsigned destination_max; /* reports of a day to one owner of places */
	enum sts_sink sink;
	const char *tlsrpt_socket; /* of the collector; set with SINK_TLSRPT */
};

/* Which file it was that was read; all 0: none, or text in memory. */
struct sts_conf_file {
	uint64_t inode;
	int64_t size, seconds, nanoseconds; /* of its last change */
};

struct sts_conf {
	struct sts_conf_file file;
	bool enabled; /* the kill switch */
	const char *cache_dir;
	unsigned cache_max; /* MiB */
	const char *worker_dir;
	enum sts_flavour flavour;
	struct sts_server server[STS_SERVERS_MAX]; /* none: resolv.conf(5) */
	size_t nserver;
	enum sts_transport transport;
	unsigned fetch_timeout; /* ms, for one domain in all */
	unsigned dns_timeout;   /* ms, for one question in all */
	enum sts_dns_failure dns_failure;
	enum sts_cold cold;
	unsigned recheck; /* s between two looks at the TXT record */
	const char *ca_file, *ca_path; /* NULL: the TLS library's default */
	const struct sts_net *deny;    /* up to STS_DENY_MAX */
	size_t ndeny;
	struct sts_report_conf report;
	const struct sts_domain_conf *domain; /* sorted by name */
	size_t ndomain;
};

/*
 * Read path.  *out is the caller's on STS_OK.  STS_ABSENT cannot happen: a
 * missing file is an error, except that a NULL path means the default file
 * (STS_CONF_PATH), which may be missing.  Any unknown key or bad value is
 * STS_LOCAL, err names file, line and cause.
 */
enum sts_rc sts_conf_load(struct sts_conf **out, const char *path,
    struct sts_err *err);
void sts_conf_free(struct sts_conf *); /* NULL is fine */

/* The same for text in memory; path is only for messages. */
enum sts_rc sts_conf_parse(struct sts_conf **out, const char *path,
    struct sts_str text, sts_problem_fn *fn, void *arg, struct sts_err *err);

/* The path, or for NULL that of the default file. */
const char *sts_conf_name(const char *path);

/* Is there another file at path now than the one that was read? */
bool sts_conf_stale(const struct sts_conf *, const char *path);

/* The section of a domain (lower case); NULL: none. */
const struct sts_domain_conf *sts_conf_domain(const struct sts_conf *,
    const char *domain);

#endif
