/* SPDX-License-Identifier: ISC */
/* The keys of mtasts.conf(5) and what may stand behind them. */
#include "conf_load.h"

#include <stdlib.h>

#include "err.h"

bool
sts_conf_bool(struct sts_str v, bool *out)
{
	static const struct sts_choice c[] = { { "yes", 1 }, { "no", 0 } };
	int n = sts_conf_choose(v, c, ARRAY_LEN(c));

	*out = n == 1;
	return n != -1;
}

static bool
take_enabled(struct sts_load *l, struct sts_str v)
{
	return sts_conf_bool(v, &l->conf->enabled);
}

bool
sts_conf_path(struct sts_load *l, struct sts_str v, const char **out)
{
	if (v.len == 0 || v.p[0] != '/' || v.len >= 1024)
		return false;
	*out = sts_conf_keep(l, v);
	return true;
}

static bool
take_cache_dir(struct sts_load *l, struct sts_str v)
{
	return sts_conf_path(l, v, &l->conf->cache_dir);
}

static bool
take_worker_dir(struct sts_load *l, struct sts_str v)
{
	return sts_conf_path(l, v, &l->conf->worker_dir);
}

static bool
take_ca_file(struct sts_load *l, struct sts_str v)
{
	return sts_conf_path(l, v, &l->conf->ca_file);
}

static bool
take_ca_path(struct sts_load *l, struct sts_str v)
{
	return sts_conf_path(l, v, &l->conf->ca_path);
}

static bool
take_flavour(struct sts_load *l, struct sts_str v)
{
	static const struct sts_choice c[] = {
		{ "auto", STS_FLAVOUR_AUTO },
		{ "openssl", STS_FLAVOUR_OPENSSL },
		{ "gnutls", STS_FLAVOUR_GNUTLS },
	};
	int n = sts_conf_choose(v, c, ARRAY_LEN(c));

	l->conf->flavour = (enum sts_flavour)n;
	return n != -1;
}

static bool
take_transport(struct sts_load *l, struct sts_str v)
{
	static const struct sts_choice c[] = {
		{ "auto", STS_TRANSPORT_AUTO },
		{ "udp", STS_TRANSPORT_UDP },
		{ "tcp", STS_TRANSPORT_TCP },
	};
	int n = sts_conf_choose(v, c, ARRAY_LEN(c));

	l->conf->transport = (enum sts_transport)n;
	return n != -1;
}

static bool
take_dns_failure(struct sts_load *l, struct sts_str v)
{
	static const struct sts_choice c[] = {
		{ "proceed", STS_DNS_PROCEED },
		{ "defer", STS_DNS_DEFER },
	};
	int n = sts_conf_choose(v, c, ARRAY_LEN(c));

	l->conf->dns_failure = (enum sts_dns_failure)n;
	return n != -1;
}

static bool
take_cold(struct sts_load *l, struct sts_str v)
{
	static const struct sts_choice c[] = {
		{ "opportunistic", STS_COLD_OPPORTUNISTIC },
		{ "tempfail", STS_COLD_TEMPFAIL },
	};
	int n = sts_conf_choose(v, c, ARRAY_LEN(c));

	l->conf->cold = (enum sts_cold)n;
	return n != -1;
}

bool
sts_conf_seconds(struct sts_str v, unsigned min, unsigned max, unsigned *out)
{
	static const struct {
		char unit;
		unsigned s;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	uint64_t n;

	if (v.len < 2 ||
	    !str_u64((struct sts_str){ v.p, v.len - 1 }, 1000000, &n))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (units[i].unit == v.p[v.len - 1]) {
			n *= units[i].s;
			*out = n > max ? max : (unsigned)n;
			return n >= min && n <= max;
		}
	return false;
}

static bool
take_fetch_timeout(struct sts_load *l, struct sts_str v)
{
	unsigned n;

	if (!sts_conf_seconds(v, 1, 60, &n))
		return false;
	l->conf->fetch_timeout = n * 1000;
	return true;
}

static bool
take_dns_timeout(struct sts_load *l, struct sts_str v)
{
	unsigned n;

	if (!sts_conf_seconds(v, 1, 30, &n))
		return false;
	l->conf->dns_timeout = n * 1000;
	return true;
}

static bool
take_recheck(struct sts_load *l, struct sts_str v)
{
	return sts_conf_seconds(v, 1, 86400, &l->conf->recheck);
}

/* ADDRESS[@PORT][#NAME]; with a name it is DNS over TLS. */
static bool
take_server(struct sts_load *l, struct sts_str w)
{
	struct sts_server *sv = &l->conf->server[l->conf->nserver];
	struct scan s = scan_str(w);
	struct sts_str addr, port;
	uint64_t n = 0;

	if (l->conf->nserver == STS_SERVERS_MAX)
		return false;
	*sv = (struct sts_server){ .port = 0 };
	if (scan_until(&s, '#', &addr)) {
		s.p++;
		if (!str_all((struct sts_str){ s.p, scan_left(&s) },
			is_ext_name))
			return false;
		sv->tls_name = sts_conf_keep(l, scan_rest(&s));
	} else
		addr = w;
	s = scan_str(addr);
	if (scan_until(&s, '@', &addr)) {
		s.p++;
		port = scan_rest(&s);
		if (!str_u64(port, 65535, &n) || n == 0)
			return false;
	}
	sv->port = (unsigned short)n;
	l->conf->nserver++;
	return sts_addr_parse(&sv->addr, addr);
}

static bool
take_resolver(struct sts_load *l, struct sts_str v)
{
	struct scan s = scan_str(v);
	struct sts_str w;

	while (sts_conf_word(&s, &w))
		if (!take_server(l, w))
			return false;
	return l->conf->nserver > 0;
}

/* A list of one's own replaces the default; few have one, so it is apart. */
static bool
own_deny(struct sts_load *l)
{
	struct conf_all *all = (struct conf_all *)l->conf;

	if (all->deny != NULL)
		return true;
	if ((all->deny = calloc(STS_DENY_MAX, sizeof *all->deny)) == NULL) {
		l->rc = sts_fail(l->err, STS_NOMEM, 0, "%s: out of memory",
		    l->path);
		return false;
	}
	l->conf->deny = all->deny;
	l->conf->ndeny = 0;
	return true;
}

static bool
take_deny(struct sts_load *l, struct sts_str v)
{
	struct conf_all *all = (struct conf_all *)l->conf;
	struct scan s = scan_str(v);
	struct sts_str w;

	if (!own_deny(l))
		return true; /* said */
	while (sts_conf_word(&s, &w)) {
		if (str_is(w, "none") && v.len == w.len)
			return true;
		if (l->conf->ndeny == STS_DENY_MAX ||
		    !sts_net_parse(&all->deny[l->conf->ndeny++], w))
			return false;
	}
	return l->conf->ndeny > 0;
}

static const struct sts_key keys[] = {
	{ "enabled", take_enabled, "yes or no", false },
	{ "cache_dir", take_cache_dir, "an absolute path", false },
	{ "worker_dir", take_worker_dir, "an absolute path", false },
	{ "worker_flavour", take_flavour, "auto, openssl or gnutls", false },
	{ "resolver", take_resolver, "up to 8 of ADDRESS[@PORT][#TLSNAME]",
	    true },
	{ "dns_transport", take_transport, "auto, udp or tcp", false },
	{ "fetch_timeout", take_fetch_timeout, "1s to 60s", false },
	{ "dns_timeout", take_dns_timeout, "1s to 30s", false },
	{ "dns_failure", take_dns_failure, "proceed or defer", false },
	{ "cold", take_cold, "opportunistic or tempfail", false },
	{ "recheck", take_recheck, "1s to 1d", false },
	{ "ca_file", take_ca_file, "an absolute path", false },
	{ "ca_path", take_ca_path, "an absolute path", false },
	{ "deny_networks", take_deny, "up to 64 of ADDRESS[/BITS], or none",
	    true },
};

void
sts_conf_take(struct sts_load *l, const struct sts_key *key, size_t n,
    unsigned *set, const char *name, struct sts_str value)
{
	char shown[64];

	for (size_t i = 0; i < n; i++) {
		if (strcmp(name, key[i].name) != 0)
			continue;
		if ((*set & 1u << i) != 0 && !key[i].repeats)
			sts_conf_problem(l, "set-twice", "%s is set twice",
			    name);
		else if (!key[i].take(l, value))
			sts_conf_problem(l, "bad-value",
			    "bad %s \"%s\": must be %s", name,
			    sts_escape(shown, sizeof shown, value),
			    key[i].wants);
		*set |= 1u << i;
		return;
	}
	sts_conf_problem(l, "unknown-key", "unknown key \"%s\"",
	    sts_escape(shown, sizeof shown, str_of(name)));
}

void
sts_conf_key(struct sts_load *l, const char *name, struct sts_str value)
{
	sts_conf_take(l, keys, ARRAY_LEN(keys), &l->set, name, value);
}
