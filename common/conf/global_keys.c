/* SPDX-License-Identifier: ISC */
/* The keys of mtasts.conf(5) and what may stand behind them. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "reader.h"

/* --- What sections and values need alike ---------------------------------- */

void
sts_conf_problem(struct sts_load *l, const char *code, const char *fmt, ...)
{
	char text[200];
	struct sts_problem pr = { true, l->line, code, text };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (l->rc == STS_OK)
		sts_fail(l->err, STS_LOCAL, l->line, "%s:%u: %s", l->path,
		    l->line, text);
	l->rc = STS_LOCAL;
	if (l->fn != NULL)
		l->fn(l->arg, &pr);
}

const char *
sts_conf_keep(struct sts_load *l, struct sts_str s)
{
	char *p = l->text + l->used;

	/*
	 * In place: s is part of a line that was read and copied, and in that
	 * line at least one byte stood beside it, so p is behind l->in.
	 */
	memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	l->used += s.len + 1;
	return p;
}

bool
sts_conf_word(struct scan *s, struct sts_str *w)
{
	scan_wsp(s);
	*w = scan_while(s, is_not_wsp);
	return w->len > 0;
}

/* --- Values --------------------------------------------------------------- */

static bool
take_path(struct sts_load *l, struct sts_str v, char *at)
{
	const char *path;

	if (v.len == 0 || v.p[0] != '/' || v.len >= 1024)
		return false;
	path = sts_conf_keep(l, v);
	memcpy(at, &path, sizeof path);
	return true;
}

/* A number needs its unit, so that nobody has to guess it. */
static bool
take_number(struct sts_str v, const struct sts_key *key, char *at)
{
	static const struct {
		char unit;
		bool bytes;
		unsigned factor;
	} units[] = { { 's', false, 1 }, { 'm', false, 60 },
		{ 'h', false, 3600 }, { 'd', false, 86400 }, { 'M', true, 1 },
		{ 'G', true, 1024 } };
	unsigned out;
	uint64_t n;

	if (v.len < 2 ||
	    !str_u64((struct sts_str){ v.p, v.len - 1 }, 1000000, &n))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (units[i].unit == v.p[v.len - 1] &&
		    units[i].bytes == (key->kind == STS_KEY_MIB)) {
			n *= units[i].factor;
			if (n < key->min || n > key->max)
				return false;
			out =
			    (unsigned)n * (key->kind == STS_KEY_MS ? 1000 : 1);
			memcpy(at, &out, sizeof out);
			return true;
		}
	return false;
}

static bool
take_choice(struct sts_str v, const struct sts_key *key, char *at)
{
	/* As every enumeration of struct sts_conf. */
	enum sts_flavour out;

	for (size_t i = 0; i < ARRAY_LEN(key->word); i++)
		if (v.len > 0 && str_is(v, key->word[i])) {
			out = (enum sts_flavour)i;
			memcpy(at, &out, sizeof out);
			return true;
		}
	return false;
}

static bool
take_value(struct sts_load *l, void *into, const struct sts_key *key,
    struct sts_str v)
{
	char *at = (char *)into + key->at;

	switch (key->kind) {
	case STS_KEY_OWN:
		return key->take(l, v);
	case STS_KEY_BOOL:
		*(bool *)at = str_is(v, "yes");
		return str_is(v, "yes") || str_is(v, "no");
	case STS_KEY_PATH:
		return take_path(l, v, at);
	case STS_KEY_SECONDS:
	case STS_KEY_MS:
	case STS_KEY_MIB:
		return take_number(v, key, at);
	case STS_KEY_CHOICE:
		return take_choice(v, key, at);
	}
	return false;
}

void
sts_conf_take(struct sts_load *l, void *into, const struct sts_key *key,
    size_t n, unsigned *set, const char *name, struct sts_str value)
{
	char shown[64];

	for (size_t i = 0; i < n; i++) {
		if (strcmp(name, key[i].name) != 0)
			continue;
		if ((*set & 1u << i) != 0 && !key[i].repeats)
			sts_conf_problem(l, "set-twice", "%s is set twice",
			    name);
		else if (!take_value(l, into, &key[i], value))
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

/* --- Keys in front of the first section ----------------------------------- */

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

#define AT(field) .at = offsetof(struct sts_conf, field)

static const struct sts_key keys[] = {
	{ "enabled", STS_KEY_BOOL, AT(enabled), .wants = "yes or no" },
	{ "cache_dir", STS_KEY_PATH, AT(cache_dir),
	    .wants = "an absolute path" },
	{ "cache_max_bytes", STS_KEY_MIB, AT(cache_max), .min = 16,
	    .max = 1 << 20, .wants = "16M to 1024G" },
	{ "worker_dir", STS_KEY_PATH, AT(worker_dir),
	    .wants = "an absolute path" },
	{ "worker_flavour", STS_KEY_CHOICE, AT(flavour),
	    .word = { "auto", "openssl", "gnutls" },
	    .wants = "auto, openssl or gnutls" },
	{ "resolver", STS_KEY_OWN, .take = take_resolver, .repeats = true,
	    .wants = "up to 8 of ADDRESS[@PORT][#TLSNAME]" },
	{ "dns_transport", STS_KEY_CHOICE, AT(transport),
	    .word = { "auto", "udp", "tcp" }, .wants = "auto, udp or tcp" },
	{ "fetch_timeout", STS_KEY_MS, AT(fetch_timeout), .min = 1, .max = 60,
	    .wants = "1s to 60s" },
	{ "dns_timeout", STS_KEY_MS, AT(dns_timeout), .min = 1, .max = 30,
	    .wants = "1s to 30s" },
	{ "dns_failure", STS_KEY_CHOICE, AT(dns_failure),
	    .word = { "proceed", "defer" }, .wants = "proceed or defer" },
	{ "cold", STS_KEY_CHOICE, AT(cold), .word = { "wait", "proceed" },
	    .wants = "wait or proceed" },
	{ "recheck", STS_KEY_SECONDS, AT(recheck), .min = 1, .max = 86400,
	    .wants = "1s to 1d" },
	{ "ca_file", STS_KEY_PATH, AT(ca_file), .wants = "an absolute path" },
	{ "ca_path", STS_KEY_PATH, AT(ca_path), .wants = "an absolute path" },
	{ "deny_networks", STS_KEY_OWN, .take = take_deny, .repeats = true,
	    .wants = "up to 64 of ADDRESS[/BITS], or none" },
};

void
sts_conf_key(struct sts_load *l, const char *name, struct sts_str value)
{
	sts_conf_take(l, l->conf, keys, ARRAY_LEN(keys), &l->set, name, value);
}
