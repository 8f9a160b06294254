/* SPDX-License-Identifier: ISC */
/*
 * A recorded session as text, format 2:
 *
 *   line = "2" TAB time TAB domain TAB type TAB mode TAB id TAB result TAB
 *          sending-ip TAB mx-host TAB mx-helo TAB receiving-ip TAB reason TAB
 *          certificate LF
 *
 * In texts every byte that is not printable, and "%", stands as %XX.  The
 * certificate is the name of its file, 32 hexadecimal digits, or nothing.
 */
#include "session_line.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/domain_name.h"
#include <mtasts/session.h>

enum {
	NEED = 3 /* bytes of %XX */
};

static const char results[][28] = {
	[STS_SESSION_OK] = "",
	[STS_STARTTLS_NOT_SUPPORTED] = "starttls-not-supported",
	[STS_CERTIFICATE_HOST_MISMATCH] = "certificate-host-mismatch",
	[STS_CERTIFICATE_EXPIRED] = "certificate-expired",
	[STS_CERTIFICATE_NOT_TRUSTED] = "certificate-not-trusted",
	[STS_VALIDATION_FAILURE] = "validation-failure",
	[STS_TLSA_INVALID] = "tlsa-invalid",
	[STS_DNSSEC_INVALID] = "dnssec-invalid",
	[STS_DANE_REQUIRED] = "dane-required",
	[STS_STS_POLICY_FETCH_ERROR] = "sts-policy-fetch-error",
	[STS_STS_POLICY_INVALID] = "sts-policy-invalid",
	[STS_STS_WEBPKI_INVALID] = "sts-webpki-invalid",
	[STS_CERTIFICATE_REFUSED] = "validation-failure",
};

const char *
sts_session_result_name(enum sts_session_result r)
{
	return (unsigned)r < ARRAY_LEN(results) ? results[r] : "";
}

static const char types[][16] = {
	[STS_TYPE_NO_POLICY_FOUND] = "no-policy-found",
	[STS_TYPE_STS] = "sts",
	[STS_TYPE_TLSA] = "tlsa",
};

const char *
sts_policy_type_name(enum sts_policy_type t)
{
	return (unsigned)t < ARRAY_LEN(types) ? types[t] : "";
}

/* In the line the two that share a word in reports must stay two. */
static const char *
word_of(enum sts_session_result r)
{
	if (r == STS_SESSION_OK)
		return "ok";
	return r == STS_CERTIFICATE_REFUSED ? "certificate"
					    : sts_session_result_name(r);
}

static bool
is_name_digit(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

bool
sts_session_is_cert(struct sts_str name)
{
	return name.len == STS_SESSION_CERT - 1 && str_all(name, is_name_digit);
}

/* --- Writing ------------------------------------------------------------ */

static char *
put_word(char *p, const char *word)
{
	size_t len = strlen(word);

	memcpy(p, word, len);
	p[len] = '\t';
	return p + len + 1;
}

/* Never half an escape: what would pass the limit is left out. */
static char *
put_text(char *p, struct sts_str s)
{
	static const char hex[] = "0123456789ABCDEF";
	const char *end = p + STS_SESSION_TEXT_MAX;

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool plain = is_print(s.p[i]) && c != '%';

		if (end - p < (plain ? 1 : NEED))
			break;
		if (plain) {
			*p++ = (char)c;
			continue;
		}
		*p++ = '%';
		*p++ = hex[c >> 4];
		*p++ = hex[c & 15];
	}
	*p++ = '\t';
	return p;
}

_Static_assert(7 * (STS_SESSION_TEXT_MAX + 1) + STS_SESSION_CERT + 200 <
	STS_SESSION_LINE_MAX,
    "the longest line fits");

size_t
sts_session_encode(char *buf, const struct sts_session *s)
{
	struct sts_str id = s->id;
	char normal[STS_NAME_SIZE], *p = buf;

	if (!sts_domain_is_normal(normal, s->domain) || s->time < 0 ||
	    (unsigned)s->type >= ARRAY_LEN(types) ||
	    (unsigned)s->result >= ARRAY_LEN(results))
		return 0;
	p += snprintf(p, 32, "2\t%" PRId64 "\t", s->time);
	p = put_text(p, s->domain);
	p = put_word(p, sts_policy_type_name(s->type));
	p = put_word(p, sts_mode_name(s->mode));
	if (id.len > STS_ID_SIZE - 1 || !str_all(id, is_alnum))
		id.len = 0;
	p = put_text(p, id);
	p = put_word(p, word_of(s->result));
	p = put_text(p, s->sending_ip);
	p = put_text(p, s->mx_host);
	p = put_text(p, s->mx_helo);
	p = put_text(p, s->receiving_ip);
	p = put_text(p, s->reason);
	if (sts_session_is_cert(s->cert)) {
		memcpy(p, s->cert.p, s->cert.len);
		p += s->cert.len;
	}
	*p++ = '\n';
	return (size_t)(p - buf);
}

/* --- Reading ------------------------------------------------------------ */

static int
hex(char c)
{
	if (is_digit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In place: what comes out is never longer. */
static bool
parse_text(struct scan *s, char *line, struct sts_str *out)
{
	struct sts_str in;
	char *to;
	int a, b;

	if (!scan_word(s, '\t', &in) || in.len > STS_SESSION_TEXT_MAX)
		return false;
	*out = (struct sts_str){ in.p, 0 };
	to = line + (in.p - line);
	for (size_t i = 0; i < in.len; i++) {
		char c = in.p[i];

		if (!is_print(c))
			return false;
		if (c == '%') {
			if (in.len - i < NEED || (a = hex(in.p[i + 1])) == -1 ||
			    (b = hex(in.p[i + 2])) == -1)
				return false;
			c = (char)(a << 4 | b);
			/* what needs no escape has none */
			if (is_print(c) && c != '%')
				return false;
			i += 2;
		}
		to[out->len++] = c;
	}
	return true;
}

static bool
parse_cert(struct scan *s, struct sts_str *out)
{
	*out = scan_rest(s);
	return out->len == 0 || sts_session_is_cert(*out);
}

static bool
parse_time(struct scan *s, int64_t *t)
{
	struct sts_str w;
	uint64_t n;

	/* one way to write it: no zeros in front */
	if (!scan_word(s, '\t', &w) || !str_u64(w, INT64_MAX, &n) ||
	    (w.len > 1 && w.p[0] == '0'))
		return false;
	*t = (int64_t)n;
	return true;
}

static bool
parse_type_and_mode(struct scan *s, struct sts_session *out)
{
	struct sts_str type, mode;

	if (!scan_word(s, '\t', &type) || !scan_word(s, '\t', &mode))
		return false;
	while (!str_is(type, types[out->type]))
		if (++out->type == STS_TYPES)
			return false;
	for (int m = STS_MODE_NONE; m <= STS_MODE_ENFORCE; m++)
		if (str_is(mode, sts_mode_name((enum sts_mode)m))) {
			out->mode = (enum sts_mode)m;
			return true;
		}
	return false;
}

static bool
parse_result(struct scan *s, struct sts_session *out)
{
	struct sts_str w;

	if (!scan_word(s, '\t', &w))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(results); i++)
		if (str_is(w, word_of((enum sts_session_result)i))) {
			out->result = (enum sts_session_result)i;
			return true;
		}
	return false;
}

bool
sts_session_decode(struct sts_session *out, char *line, size_t len)
{
	struct scan s = scan_bytes(line, len);
	char normal[STS_NAME_SIZE];

	memset(out, 0, sizeof *out);
	return len < STS_SESSION_LINE_MAX && scan_lit(&s, "2\t") &&
	    parse_time(&s, &out->time) && parse_text(&s, line, &out->domain) &&
	    sts_domain_is_normal(normal, out->domain) &&
	    parse_type_and_mode(&s, out) && parse_text(&s, line, &out->id) &&
	    out->id.len < STS_ID_SIZE &&
	    (out->id.len == 0 || str_all(out->id, is_alnum)) &&
	    parse_result(&s, out) && parse_text(&s, line, &out->sending_ip) &&
	    parse_text(&s, line, &out->mx_host) &&
	    parse_text(&s, line, &out->mx_helo) &&
	    parse_text(&s, line, &out->receiving_ip) &&
	    parse_text(&s, line, &out->reason) && parse_cert(&s, &out->cert);
}

bool
sts_session_domain(struct sts_str line, struct sts_str *domain)
{
	struct scan s = scan_str(line);
	struct sts_str time;

	return scan_lit(&s, "2\t") && scan_word(&s, '\t', &time) &&
	    scan_word(&s, '\t', domain);
}
