/* SPDX-License-Identifier: ISC */
#include "rua.h"

#include <stdio.h>
#include <string.h>

#include "base/scan.h"

enum { LOCAL_MAX = 64 }; /* RFC 5321 4.5.3.1.1 */

static int
hex(char c)
{
	c = to_lower(c);
	if (is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3986 2.1; false: half an escape, or more than there is room for. */
static bool
decode(char *out, size_t size, struct sts_str in)
{
	size_t n = 0;
	int a, b;

	for (size_t i = 0; i < in.len; i++) {
		if (n + 1 >= size)
			return false;
		if (in.p[i] != '%') {
			out[n++] = in.p[i];
			continue;
		}
		if (in.len - i < 3 || (a = hex(in.p[i + 1])) == -1 ||
		    (b = hex(in.p[i + 2])) == -1)
			return false;
		out[n++] = (char)(a << 4 | b);
		i += 2;
	}
	out[n] = '\0';
	return strlen(out) == n;
}

/* RFC 5322 3.2.3 */
static bool
is_atext(char c)
{
	return is_alnum(c) ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool
dot_atom(const char *p)
{
	bool dot = true; /* one may not stand here */

	for (; *p != '\0'; p++) {
		if (*p == '.' ? dot : !is_atext(*p))
			return false;
		dot = *p == '.';
	}
	return !dot;
}

/*
 * The local part as it stands in a header or on a command line: quoted where
 * it holds what would mean something there (RFC 5322 3.2.4).
 */
static bool
put_local(char *out, const char *local)
{
	size_t n = 0;

	if (local[0] == '\0' || strlen(local) > LOCAL_MAX)
		return false;
	for (const char *p = local; *p != '\0'; p++)
		if (!is_print(*p))
			return false;
	if (dot_atom(local)) {
		memcpy(out, local, strlen(local) + 1);
		return true;
	}
	out[n++] = '"';
	for (const char *p = local; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			out[n++] = '\\';
		out[n++] = *p;
	}
	out[n++] = '"';
	out[n] = '\0';
	return true;
}

static void
read_mail(struct rua *r, struct sts_str rest)
{
	char text[STS_NAME_SIZE + 3 * LOCAL_MAX], domain[STS_NAME_SIZE];
	char local[2 * LOCAL_MAX + 3];
	const char *end = memchr(rest.p, '?', rest.len);
	char *at;

	if (end != NULL)
		rest.len = (size_t)(end - rest.p);
	if (!decode(text, sizeof text, rest) ||
	    (at = strrchr(text, '@')) == NULL)
		return;
	*at = '\0';
	if (!put_local(local, text) ||
	    sts_domain_normal(domain, at + 1, NULL) != STS_OK)
		return;
	snprintf(r->address, sizeof r->address, "%s@%s", local, domain);
	r->kind = RUA_MAIL;
}

static void
read_https(struct rua *r, struct sts_str uri, struct sts_str rest)
{
	struct scan s = scan_str(rest);
	const char *end = memchr(uri.p, '#', uri.len);
	char host[STS_NAME_SIZE];
	struct sts_str name;
	uint64_t port = 443;

	if (end != NULL)
		uri.len = (size_t)(end - uri.p);
	if (!scan_lit(&s, "//"))
		return;
	name = scan_while(&s, is_ext_name);
	if (name.len >= sizeof host || uri.len >= sizeof r->url)
		return;
	memcpy(host, name.p, name.len);
	host[name.len] = '\0';
	/* Another port may be anything, on whatever machine the name leads to.
	 */
	if (scan_char(&s, ':') &&
	    (!str_u64(scan_while(&s, is_digit), 65535, &port) || port != 443))
		return;
	if ((s.p < s.end && strchr("/?#", *s.p) == NULL) ||
	    sts_domain_normal(r->host, host, NULL) != STS_OK ||
	    strlen(r->host) != name.len) /* else libcurl asks a resolver */
		return;
	r->port = (unsigned short)port;
	memcpy(r->url, uri.p, uri.len);
	r->url[uri.len] = '\0';
	r->kind = RUA_HTTPS;
}

void
rua_read(struct rua *r, struct sts_str uri)
{
	struct scan s = scan_str(uri);
	struct sts_str scheme;

	memset(r, 0, sizeof *r);
	if (memchr(uri.p, '\0', uri.len) != NULL ||
	    !scan_until(&s, ':', &scheme))
		return;
	s.p++;
	if (str_is_nocase(scheme, "mailto"))
		read_mail(r, scan_rest(&s));
	else if (str_is_nocase(scheme, "https"))
		read_https(r, uri, scan_rest(&s));
}

bool
rua_same(const struct rua *a, const struct rua *b)
{
	if (a->kind != b->kind)
		return false;
	return a->kind == RUA_MAIL ? strcmp(a->address, b->address) == 0
				   : strcmp(a->url, b->url) == 0;
}
