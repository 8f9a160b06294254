/* SPDX-License-Identifier: ISC */
/*
 * The header lines of the replies to one GET, RFC 9112 2.1.
 *
 *   status = "HTTP/" version SP 3DIGIT [ SP reason ]
 *   field  = name ":" OWS value OWS
 *
 * Interim replies (1xx, RFC 9110 15.2) come before the final one: each status
 * line starts afresh.  Lines after the final header are trailers and may not
 * change what it said (RFC 9110 6.5.1).
 */
#include "http_head.h"

#include <string.h>

#include "base/scan.h"

static struct sts_str
trimmed(struct sts_str s)
{
	while (s.len > 0 && is_wsp(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && is_wsp(s.p[s.len - 1]))
		s.len--;
	return s;
}

static void
take_length(struct http_head *head, struct sts_str value)
{
	uint64_t n;

	if (!str_all(value, is_digit))
		return;
	if (!str_u64(value, UINT64_MAX, &n))
		n = UINT64_MAX;
	if (n > head->length)
		head->length = n;
	head->delimited = true;
}

/* RFC 9112 6.3: delimited only if chunked is the last coding. */
static void
take_coding(struct http_head *head, struct sts_str value)
{
	struct scan s = scan_str(value);
	struct sts_str coding;

	while (scan_until(&s, ',', &coding))
		s.p++;
	if (str_is_nocase(trimmed(scan_rest(&s)), "chunked"))
		head->delimited = true;
}

/*
 * Several lines of one name are one list (RFC 9110 5.3), so that a second
 * media type never goes unseen.
 */
static void
take_type(struct http_head *head, struct sts_str value)
{
	size_t n = strlen(head->content_type);
	size_t max = sizeof head->content_type - 1;

	if (value.len == 0)
		return;
	for (const char *p = ", "; n > 0 && *p != '\0' && n < max;)
		head->content_type[n++] = *p++;
	for (size_t i = 0; i < value.len && n < max; i++)
		head->content_type[n++] = value.p[i] == '\0' ? '?' : value.p[i];
	head->content_type[n] = '\0';
}

static const struct field {
	const char *name;
	void (*take)(struct http_head *, struct sts_str);
} fields[] = {
	{ "content-length", take_length },
	{ "content-type", take_type },
	{ "transfer-encoding", take_coding },
};

static void
take_field(struct http_head *head, struct sts_str line)
{
	struct scan s = scan_str(line);
	struct sts_str name, value;

	if (!scan_until(&s, ':', &name))
		return;
	s.p++;
	value = trimmed(scan_rest(&s));
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (str_is_nocase(name, fields[i].name))
			fields[i].take(head, value);
}

static void
take_status(struct http_head *head, struct sts_str line)
{
	struct scan s = scan_str(line);
	struct sts_str version, digits;
	uint64_t status;

	if (!scan_lit(&s, "HTTP/") || !scan_until(&s, ' ', &version))
		return;
	s.p++;
	digits = scan_while(&s, is_digit);
	if (digits.len != 3 || !str_u64(digits, 999, &status))
		return;
	*head = (struct http_head){ .bytes = head->bytes,
		.inside = true,
		.status = (long)status };
}

bool
http_head_line(struct http_head *head, struct sts_str line)
{
	if (line.len > STS_HEADER_MAX - head->bytes)
		return false;
	head->bytes += line.len;
	while (line.len > 0 &&
	    (line.p[line.len - 1] == '\n' || line.p[line.len - 1] == '\r'))
		line.len--;
	if (head->complete)
		return true;
	if (!head->inside)
		take_status(head, line);
	else if (line.len > 0)
		take_field(head, line);
	else {
		head->inside = false;
		head->complete = head->status >= 200;
	}
	return true;
}
