/* SPDX-License-Identifier: ISC */
/*
 * MX records, then the addresses of all hosts at once (RFC 5321 5.1).  Aliases
 * are followed by the resolver and change no name: the name in the MX record
 * is what the policy and the certificate must match (RFC 8461 4.1).
 */
#include "mx_fetch.h"

#include <syslog.h>
#include <time.h>

#include "lookup_job.h"
#include "mx_records.h"
#include "net/dns.h"
#include "net/gate.h"

static void
keep_old(struct mx_fetch *f)
{
	f->set = f->old;
	f->done(f->arg);
}

static void
store(struct mx_fetch *f)
{
	struct sts_err err;

	f->set.asked = time(NULL);
	f->set.until = f->set.asked +
	    (f->partial ? STS_MX_TTL_MIN : mx_records_ttl(f->ttl));
	if (sts_store_put_mx(f->lookups->store, f->domain, &f->set, &err) !=
	    STS_OK)
		syslog(LOG_WARNING, "%s: %s", f->domain, err.text);
	f->done(f->arg);
}

static void
store_nothing(struct mx_fetch *f, enum sts_mx_kind kind)
{
	f->set.kind = kind;
	f->set.n = 0;
	store(f);
}

/* --- Addresses ----------------------------------------------------------- */

/* Where one question fails, what was known of that host is better. */
static void
from_old(const struct sts_mx_set *old, struct sts_mx_host *host)
{
	uint16_t preference = host->preference;

	for (size_t i = 0; i < old->n; i++)
		if (strcmp(old->host[i].name, host->name) == 0) {
			*host = old->host[i];
			host->preference = preference;
		}
}

static void
all_hosts(struct mx_fetch *f)
{
	/* RFC 5321 5.1: without MX and address there is nothing at all. */
	if (f->set.kind == STS_MX_IMPLICIT && f->partial)
		keep_old(f);
	else if (f->set.kind == STS_MX_IMPLICIT && f->set.host[0].naddr == 0)
		store_nothing(f, STS_MX_NOTHING);
	else
		store(f);
}

static void
got_addresses(void *arg, const struct dns_answer *ans)
{
	struct mx_fetch_host *h = arg;
	struct mx_fetch *f = h->fetch;

	if (ans->outcome == DNS_TEMPFAIL) {
		f->partial = true;
		from_old(&f->old, h->host);
	} else {
		if (ans->ttl < f->ttl)
			f->ttl = ans->ttl;
		mx_records_addrs(h->host, ans->addr, ans->n);
		for (size_t i = 0; i < ans->n; i++)
			h->host->self =
			    h->host->self || gate_is_own(&ans->addr[i]);
	}
	if (--f->open == 0)
		all_hosts(f);
}

static void
ask_hosts(struct mx_fetch *f)
{
	unsigned timeout = f->lookups->conf->dns_timeout;

	for (size_t i = 0; i < f->set.n; i++) {
		f->host[i].fetch = f;
		f->host[i].host = &f->set.host[i];
		if (dns_ask(f->dns, DNS_ADDRESS, f->set.host[i].name, timeout,
			got_addresses, &f->host[i]))
			f->open++;
		else
			f->partial = true;
	}
	if (f->open == 0)
		all_hosts(f);
}

/* --- MX records ---------------------------------------------------------- */

static void
implicit(struct mx_fetch *f)
{
	f->set.kind = STS_MX_IMPLICIT;
	f->set.n = 1;
	f->set.host[0] = (struct sts_mx_host){ .preference = 0 };
	memcpy(f->set.host[0].name, f->domain, strlen(f->domain) + 1);
	ask_hosts(f);
}

static void
got_mx(void *arg, const struct dns_answer *ans)
{
	struct mx_fetch *f = arg;

	f->ttl = ans->ttl;
	if (ans->outcome == DNS_TEMPFAIL)
		keep_old(f);
	else if (ans->why == DNS_WHY_NXDOMAIN)
		store_nothing(f, STS_MX_NOTHING);
	else if (ans->outcome == DNS_NONE)
		implicit(f);
	else if (mx_records_hosts(&f->set, ans->mx, ans->n))
		ask_hosts(f);
	else
		store_nothing(f, f->set.kind);
}

void
mx_fetch_begin(struct mx_fetch *f)
{
	struct lookups *l = f->lookups;
	const struct sts_conf *conf = l->conf;
	int64_t now = time(NULL);

	if (sts_store_get_mx(l->store, f->domain, &f->old, NULL) != STS_OK)
		f->old.kind = STS_MX_UNKNOWN;
	if (!sts_mx_stale(&f->old, now) ||
	    sts_store_resolver_down(l->store, now) ||
	    (f->dns = lookup_dns(l, NULL)) == NULL ||
	    !dns_ask(f->dns, DNS_MX, f->domain, conf->dns_timeout, got_mx, f))
		keep_old(f);
}
