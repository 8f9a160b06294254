/* SPDX-License-Identifier: ISC */
#include "rua.h"

#include <stdio.h>
#include <string.h>

#include "base/domain_name.h"
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
 * What a quoted-string stands for (RFC 5322 3.2.4), in place; false where its
 * end is not the end.
 */
static bool
unquote(char *local)
{
	char *to = local, *p = local + 1;

	for (; *p != '"'; p++) {
		if (*p == '\\')
			p++;
		if (*p == '\0')
			return false;
		*to++ = *p;
	}
	if (p[1] != '\0')
		return false;
	*to = '\0';
	return true;
}

/*
 * The local part as it stands in a header or on a command line: quoted where
 * it holds what would mean something there (RFC 5322 3.2.4).  Owners forget
 * the quotes; what they mean is plain as long as there is no "@" or quote.
 */
static bool
put_local(char *out, char *local)
{
	size_t n = 0;

	if (!str_all(str_of(local), is_print) ||
	    (local[0] == '"' ? !unquote(local)
			     : strpbrk(local, "\"\\@") != NULL) ||
	    local[0] == '\0' || strlen(local) > LOCAL_MAX)
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

/* RFC 6068 2: these have to be percent-encoded in an address. */
static bool
is_delimiter(char c)
{
	return c == '/' || c == '#' || c == '[' || c == ']';
}

static const char *
read_mail(struct rua *r, struct sts_str rest)
{
	static const char none[] = "it holds no mail address";
	char text[STS_NAME_SIZE + 6 * LOCAL_MAX];
	char local[2 * LOCAL_MAX + 3];
	const char *end = memchr(rest.p, '?', rest.len);
	char *at;

	if (end != NULL)
		rest.len = (size_t)(end - rest.p);
	for (size_t i = 0; i < rest.len; i++)
		if (is_delimiter(rest.p[i]))
			return "it holds a character that must be encoded";
	if (!decode(text, sizeof text, rest) ||
	    (at = strrchr(text, '@')) == NULL)
		return none;
	*at = '\0';
	if (!put_local(local, text) ||
	    sts_domain_normal(r->host, at + 1, NULL) != STS_OK ||
	    strchr(r->host, '.') == NULL) { /* a name of our own network */
		r->host[0] = '\0';
		return none;
	}
	snprintf(r->address, sizeof r->address, "%s@%s", local, r->host);
	r->kind = RUA_MAIL;
	return NULL;
}

/* "//" host [":" port] ...; user names are refused: what for? */
static const char *
read_https(struct rua *r, struct sts_str uri, struct sts_str rest)
{
	static const char none[] = "it names no host";
	struct scan s = scan_str(rest);
	const char *end = memchr(uri.p, '#', uri.len);
	char host[STS_NAME_SIZE];
	struct sts_str name;
	uint64_t port = 443;

	if (end != NULL)
		uri.len = (size_t)(end - uri.p);
	if (!scan_lit(&s, "//"))
		return none;
	name = scan_while(&s, is_ext_name);
	/* A name without a dot would be one of our own network. */
	if (!sts_domain_of(host, name) || strlen(host) != name.len ||
	    strchr(host, '.') == NULL) /* else libcurl asks a resolver */
		return none;
	if (scan_char(&s, ':') &&
	    !str_u64(scan_while(&s, is_digit), 65535, &port))
		return none;
	if (s.p < s.end && strchr("/?#", *s.p) == NULL)
		return none;
	/* It may be anything there, on whatever machine the name leads to. */
	if (port != 443)
		return "its port is not 443";
	memcpy(r->host, host, sizeof r->host);
	r->port = (unsigned short)port;
	memcpy(r->url, uri.p, uri.len);
	r->url[uri.len] = '\0';
	r->kind = RUA_HTTPS;
	return NULL;
}

const char *
sts_rua_read(struct rua *r, struct sts_str uri)
{
	struct scan s = scan_str(uri);
	struct sts_str scheme;

	memset(r, 0, sizeof *r);
	if (uri.len >= RUA_URL_SIZE)
		return "it is too long";
	if (memchr(uri.p, '\0', uri.len) != NULL ||
	    !scan_word(&s, ':', &scheme))
		return "it is no URI";
	if (str_is_nocase(scheme, "mailto"))
		return read_mail(r, scan_rest(&s));
	if (str_is_nocase(scheme, "https"))
		return read_https(r, uri, scan_rest(&s));
	return "neither mailto nor https";
}

bool
sts_rua_same(const struct rua *a, const struct rua *b)
{
	if (a->kind != b->kind)
		return false;
	return a->kind == RUA_MAIL ? strcmp(a->address, b->address) == 0
				   : strcmp(a->url, b->url) == 0;
}
