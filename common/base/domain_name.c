/* SPDX-License-Identifier: ISC */
/*
 * Domain names and patterns, RFC 8461 3.2, 3.4 and 4.1.
 *
 *   domain  = label *( "." label )            (RFC 5321 4.1.2)
 *   label   = let-dig [ *( let-dig / "-" ) let-dig ]
 *   pattern = [ "*." ] domain
 *   host    = domain, with "_" for any let-dig
 */
#include "domain_name.h"

#include "err.h"

/* The next label and the dot behind it; false where nothing is left. */
static bool
next_label(struct scan *s, struct sts_str *label, bool *dot)
{
	if (s->p == s->end)
		return false;
	if (!scan_until(s, '.', label))
		*label = scan_rest(s);
	*dot = scan_char(s, '.');
	return true;
}

/* more: a byte that may stand wherever a letter may, or a letter. */
static inline bool
labels_valid(struct sts_str name, char more)
{
	size_t label = 0; /* bytes of the one in hand */
	char last = '-';

	if (name.len > STS_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; last = name.p[i++]) {
		if (name.p[i] == '.') {
			if (label == 0 || last == '-')
				return false;
			label = 0;
		} else if ((!is_ldh(name.p[i]) && name.p[i] != more) ||
		    (label == 0 && name.p[i] == '-') || ++label > STS_LABEL_MAX)
			return false;
	}
	return label > 0 && last != '-';
}

bool
sts_name_valid(struct sts_str name)
{
	return labels_valid(name, 'a');
}

static bool
host_valid(struct sts_str name)
{
	return labels_valid(name, '_');
}

static bool
is_hex(char c)
{
	return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'f');
}

/* "12", or "0x7f" as inet_aton(3) and URLs have it. */
static bool
is_number(struct sts_str label)
{
	if (label.len < 2 || label.p[0] != '0' || to_lower(label.p[1]) != 'x')
		return str_all(label, is_digit);
	label.p += 2;
	label.len -= 2;
	return label.len == 0 || str_all(label, is_hex);
}

bool
sts_name_numeric(struct sts_str name)
{
	struct scan s = scan_str(name);
	struct sts_str label, last = { "", 0 };
	bool dot = true;

	/* The last label tells: no top level is a number. */
	while (next_label(&s, &label, &dot))
		last = label;
	return !dot && is_number(last);
}

/* "*.example.com" -> "example.com" */
static struct sts_str
pattern_base(struct sts_str pattern, bool *wild)
{
	struct scan s = scan_str(pattern);

	*wild = scan_lit(&s, "*.");
	return scan_rest(&s);
}

bool
sts_pattern_valid(struct sts_str pattern)
{
	bool wild;

	/* "*" is at least one byte in a name, so the limit fits both. */
	return pattern.len <= STS_NAME_MAX &&
	    sts_name_valid(pattern_base(pattern, &wild));
}

static bool
same(struct sts_str a, struct sts_str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (to_lower(a.p[i]) != to_lower(b.p[i]))
			return false;
	return true;
}

static struct sts_str
without_root(struct sts_str name)
{
	if (name.len > 0 && name.p[name.len - 1] == '.')
		name.len--;
	return name;
}

bool
sts_host_normal(char out[STS_NAME_SIZE], struct sts_str name)
{
	name = without_root(name);
	if (!host_valid(name) || sts_name_numeric(name))
		return false;
	for (size_t i = 0; i < name.len; i++)
		out[i] = to_lower(name.p[i]);
	out[name.len] = '\0';
	return true;
}

bool
sts_host_is_normal(struct sts_str name)
{
	char out[STS_NAME_SIZE];

	return sts_host_normal(out, name) && str_is(name, out);
}

/* RFC 8461 4.1, for a pattern that is valid. */
static bool
match(struct sts_str name, struct sts_str pattern)
{
	bool wild, dot;
	struct sts_str base = pattern_base(pattern, &wild), label;
	struct scan s;

	name = without_root(name);
	if (!host_valid(name) ||
	    sts_name_numeric(base)) /* as is every name that it could match */
		return false;
	s = scan_str(name);
	if (wild) /* RFC 8461 4.1: exactly one label, the left-most */
		next_label(&s, &label, &dot);
	return same(scan_rest(&s), base);
}

bool
sts_pattern_match(struct sts_str name, struct sts_str pattern)
{
	return sts_pattern_valid(pattern) && match(name, pattern);
}

bool
sts_dns_id_valid(struct sts_str id)
{
	bool wild;

	return id.len <= STS_NAME_MAX && host_valid(pattern_base(id, &wild));
}

bool
sts_dns_id_match(struct sts_str name, struct sts_str id)
{
	return sts_dns_id_valid(id) && match(name, id);
}

bool
sts_mx_match(const char *host, const char *pattern)
{
	return host != NULL && pattern != NULL &&
	    sts_pattern_match(str_of(host), str_of(pattern));
}

bool
sts_mx_valid(const char *pattern, size_t len)
{
	return sts_pattern_valid((struct sts_str){ pattern, len });
}

bool
sts_mx_usable(const char *pattern)
{
	bool wild;

	return pattern != NULL && sts_pattern_valid(str_of(pattern)) &&
	    !sts_name_numeric(pattern_base(str_of(pattern), &wild));
}

/* "[name]", "name:25", "[name]:25", "name." -> "name" */
static bool
strip(struct sts_str in, struct sts_str *name)
{
	struct scan s = scan_str(in);

	if (scan_char(&s, '[')) {
		if (!scan_until(&s, ']', name))
			return false;
		s.p++;
	} else if (!scan_until(&s, ':', name))
		*name = scan_rest(&s);
	if (s.p != s.end && /* a port's number or name */
	    (!scan_char(&s, ':') || !str_all(scan_rest(&s), is_ldh)))
		return false;
	if (name->len > 0 && name->p[name->len - 1] == '.')
		name->len--;
	return true;
}

enum sts_rc
sts_domain_normal(char out[STS_NAME_SIZE], const char *domain,
    struct sts_err *err)
{
	struct sts_str in, name;

	out[0] = '\0';
	if (domain == NULL)
		return sts_fail(err, STS_USAGE, 0, "no domain name given");
	in = str_of(domain);
	for (size_t i = 0; i < in.len; i++)
		if ((unsigned char)in.p[i] > 0x7f)
			return sts_fail(err, STS_INVALID, 0,
			    "%s: not ASCII, convert it to A-labels first",
			    sts_show(in).text);
	/* RFC 8461 3.4: nothing for address literals */
	if (!strip(in, &name) || !sts_name_valid(name) ||
	    sts_name_numeric(name) || name.len > STS_POLICY_DOMAIN_MAX)
		return sts_fail(err, STS_ABSENT, 0,
		    "\"%s\": not a host name, so without a policy",
		    sts_show(in).text);
	for (size_t i = 0; i < name.len; i++)
		out[i] = to_lower(name.p[i]);
	out[name.len] = '\0';
	return STS_OK;
}

bool
sts_domain_of(char out[STS_NAME_SIZE], struct sts_str in)
{
	char name[STS_NAME_SIZE];

	if (in.len == 0 || in.len >= sizeof name ||
	    memchr(in.p, '\0', in.len) != NULL)
		return false;
	memcpy(name, in.p, in.len);
	name[in.len] = '\0';
	return sts_domain_normal(out, name, NULL) == STS_OK;
}

bool
sts_domain_is_normal(char out[STS_NAME_SIZE], struct sts_str in)
{
	return sts_domain_of(out, in) && str_is(in, out);
}

/* --- Owners ----------------------------------------------------------------
 */

/* Where the label begins that ends before end. */
static const char *
label_before(const char *name, const char *end)
{
	while (end > name && end[-1] != '.')
		end--;
	return end;
}

struct sts_str
sts_domain_owner(struct sts_str name)
{
	const char *end = name.p + name.len;
	const char *top = label_before(name.p, end), *p = top;

	if (p > name.p)
		p = label_before(name.p, p - 1);
	if (p > name.p && end - top == 2 && top - 1 - p <= 3)
		p = label_before(name.p, p - 1);
	return (struct sts_str){ p, (size_t)(end - p) };
}
