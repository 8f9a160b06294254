/* SPDX-License-Identifier: ISC */
/* What the parts of one run of mtasts-report share. */
#ifndef REPORT_PROGRAM_H
#define REPORT_PROGRAM_H

#include <event2/event.h>

#include "cache/cache.h"
#include "conf/conf.h"
#include "leaf_cert.h"
#include "mailers.h"
#include "net/dns.h"
#include "outbox.h"
#include "report.h"
#include "tlsrpt/spool.h"
#include <mtasts/session.h>

struct program {
	const struct sts_conf *conf;
	int64_t now;
	char host[STS_NAME_SIZE]; /* of this machine: two never send one id */
	const char *submitter;    /* the domain of contact, RFC 8460 5.3 */
	const char *only;         /* a policy domain; NULL: all */
	bool dry_run;             /* say what would be sent, store nothing */
	bool print;               /* the JSON to standard output */
	struct event_base *base;
	struct dns *dns;
	struct sts_store *cache;
	struct sts_spool *spool;
	struct outbox *outbox;        /* NULL where nothing is stored */
	struct leaf_issuers *issuers; /* NULL until first needed */
	bool no_issuers;              /* they cannot be had, which was logged */
	struct mailers *mailers;      /* NULL where nothing is sent */
	bool failed;                  /* the exit status */
};

/* Is anything stored and sent? */
static inline bool
stores(const struct program *p)
{
	return p->outbox != NULL && !p->dry_run && !p->print;
}

/* Make the reports of one day, by a sort that waits for its lines. */
struct day_sort;
void make_reports(struct program *, int64_t day, struct day_sort *);

/* To standard output.  False: a fault, which has been told. */
bool print_status(struct outbox *, bool json);

/* Send what is due. */
void send_reports(struct program *);

/*
 * The result type of a failed session of the day, RFC 8460 4.3.1, by what is
 * wrong with its certificate, and why as a sentence.  Reads time, mx_host, cert
 * and result of the session.  Where the certificate is not to be had: the
 * result as it was recorded, and "".
 */
enum { CERT_WHY = 160 };
enum sts_session_result cert_result(struct program *, int64_t day,
    const struct sts_session *, char why[CERT_WHY]);

/* _smtp._tls.DOMAIN: fn gets STS_OK with the URIs, ABSENT, or TEMPFAIL. */
typedef void rua_lookup_fn(void *arg, enum sts_rc, const struct sts_tlsrpt *);
bool rua_lookup(struct program *, const char *domain, rua_lookup_fn *,
    void *arg);

#endif
