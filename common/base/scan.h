/* SPDX-License-Identifier: ISC */
/* A read-only cursor over bytes that came from somebody else. */
#ifndef STS_BASE_SCAN_H
#define STS_BASE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <mtasts/sts.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

struct scan {
	const char *p, *end;
};

/* ASCII only: isdigit(3) and friends follow the locale of the host program. */
static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Letters, digits and hyphen: what a host name's label is made of. */
static inline bool
is_ldh(char c)
{
	return is_alnum(c) || c == '-';
}

/* An extension's name, RFC 8461 3.1 and 3.2, after its first character. */
static inline bool
is_ext_name(char c)
{
	return is_alnum(c) || c == '_' || c == '-' || c == '.';
}

static inline bool
is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

static inline bool
is_not_wsp(char c)
{
	return !is_wsp(c);
}

static inline bool
is_print(char c)
{
	return c >= ' ' && c <= '~';
}

static inline char
to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static inline struct scan
scan_str(struct sts_str s)
{
	if (s.p == NULL)
		s = (struct sts_str){ "", 0 };
	return (struct scan){ s.p, s.p + s.len };
}

static inline struct scan
scan_bytes(const void *p, size_t len)
{
	return scan_str((struct sts_str){ p, len });
}

static inline size_t
scan_left(const struct scan *s)
{
	return (size_t)(s->end - s->p);
}

static inline struct sts_str
str_of(const char *lit)
{
	return (struct sts_str){ lit, strlen(lit) };
}

static inline bool
str_all(struct sts_str s, bool (*class)(char))
{
	for (size_t i = 0; i < s.len; i++)
		if (!class(s.p[i]))
			return false;
	return s.len > 0;
}

static inline bool
str_is(struct sts_str s, const char *lit)
{
	return strlen(lit) == s.len && memcmp(s.p, lit, s.len) == 0;
}

static inline bool
str_is_nocase(struct sts_str s, const char *lit)
{
	if (strlen(lit) != s.len)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (to_lower(s.p[i]) != to_lower(lit[i]))
			return false;
	return true;
}

static inline bool
scan_char(struct scan *s, char c)
{
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static inline bool
scan_lit(struct scan *s, const char *lit)
{
	size_t len = strlen(lit);

	if (scan_left(s) < len || memcmp(s->p, lit, len) != 0)
		return false;
	s->p += len;
	return true;
}

static inline void
scan_wsp(struct scan *s)
{
	while (s->p < s->end && is_wsp(*s->p))
		s->p++;
}

/* As many bytes of the class as there are; may be none. */
static inline struct sts_str
scan_while(struct scan *s, bool (*class)(char))
{
	struct sts_str out = { s->p, 0 };

	while (s->p < s->end && class(*s->p))
		s->p++;
	out.len = (size_t)(s->p - out.p);
	return out;
}

/* Bytes up to, not including, c; false (and no move) where c is missing. */
static inline bool
scan_until(struct scan *s, char c, struct sts_str *out)
{
	const char *e;

	if (s->p == s->end)
		return false;
	if ((e = memchr(s->p, c, scan_left(s))) == NULL)
		return false;
	*out = (struct sts_str){ s->p, (size_t)(e - s->p) };
	s->p = e;
	return true;
}

/* Bytes up to c, and c itself. */
static inline bool
scan_word(struct scan *s, char c, struct sts_str *out)
{
	return scan_until(s, c, out) && scan_char(s, c);
}

static inline struct sts_str
scan_rest(struct scan *s)
{
	struct sts_str out = { s->p, scan_left(s) };

	s->p = s->end;
	return out;
}

/* The whole of v as a decimal number of at most max. */
static inline bool
str_u64(struct sts_str v, uint64_t max, uint64_t *out)
{
	uint64_t n = 0, d;

	if (!str_all(v, is_digit))
		return false;
	for (size_t i = 0; i < v.len; i++) {
		d = (uint64_t)(v.p[i] - '0');
		if (d > max || n > (max - d) / 10)
			return false;
		n = n * 10 + d;
	}
	*out = n;
	return true;
}

#endif
