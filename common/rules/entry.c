/* SPDX-License-Identifier: ISC */
/*
 * Cache entries: files of format 2, links of format 1.
 *
 *   file = first-line *( word *( " " word ) LF ) LF body
 *   link = "1" kind ":" *( number ":" ) sum
 *
 * The first line is that of checksum_line.h.  Numbers in a link are
 * hexadecimal, to stay below STS_LINK_MAX bytes.
 */
#include "entry.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "checksum_line.h"

#define FILE_MAGIC "mtasts2"

static const char reasons[][24] = {
	[STS_WHY_NOTHING] = "-",
	[STS_WHY_NO_RECORD] = "no-record",
	[STS_WHY_BAD_RECORD] = "bad-record",
	[STS_WHY_DNS_TIMEOUT] = "dns-timeout",
	[STS_WHY_DNS_FAILURE] = "dns-failure",
	[STS_WHY_FETCH_ERROR] = "sts-policy-fetch-error",
	[STS_WHY_WEBPKI] = "sts-webpki-invalid",
	[STS_WHY_BAD_POLICY] = "sts-policy-invalid",
};

static const char kinds[][12] = {
	[STS_ENTRY_ABSENT] = "",
	[STS_ENTRY_POLICY] = "policy",
	[STS_ENTRY_NONE] = "none",
	[STS_ENTRY_NO_FETCH] = "no-fetch",
	[STS_ENTRY_UNASKED] = "unasked",
};

const char *
sts_reason_name(enum sts_reason why)
{
	return (unsigned)why < ARRAY_LEN(reasons) ? reasons[why] : "?";
}

uint32_t
sts_id_hash(const char *id)
{
	return sts_hash_fold(sts_hash(str_of(id)));
}

static bool
hex_word(struct scan *s, uint64_t max, uint64_t *out)
{
	struct sts_str w;

	return scan_word(s, ':', &w) && sts_hex64(w, max, out);
}

static bool
reason_word(struct scan *s, enum sts_reason *out)
{
	struct sts_str w;

	if (!scan_word(s, '\n', &w))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (str_is(w, reasons[i])) {
			*out = (enum sts_reason)i;
			return true;
		}
	return false;
}

/* --- Links -------------------------------------------------------------- */

/* What the two numbers of a link mean for its kind. */
static const struct link_kind {
	char letter;
	enum sts_entry_kind kind;
} link_kinds[] = {
	{ 'n', STS_ENTRY_NONE },
	{ 'f', STS_ENTRY_NO_FETCH },
	{ 'u', STS_ENTRY_UNASKED },
};

static size_t
encode_link(char *buf, char letter, const struct sts_entry *e,
    const char *domain)
{
	uint64_t a = (uint64_t)e->checked, b = (uint64_t)e->until;
	int n;

	if (e->kind == STS_ENTRY_UNASKED) {
		a = (uint64_t)e->tried;
		b = (uint64_t)e->retry;
	} else if (e->kind == STS_ENTRY_NO_FETCH)
		b = (uint64_t)e->failed;
	n = snprintf(buf, STS_LINK_MAX + 1,
	    "1%c:%" PRIx64 ":%" PRIx64 ":%x:%" PRIx32 ":", letter, a, b,
	    (unsigned)e->why, e->failed_id);
	if (n < 0 || n > STS_LINK_MAX - 8)
		return 0;
	snprintf(buf + n, 9, "%08" PRIx32,
	    sts_checksum(domain, (struct sts_str){ buf, (size_t)n }));
	return (size_t)n + 8;
}

static bool
decode_link(struct sts_entry *e, struct sts_str in, const char *domain)
{
	struct scan s = scan_str(in);
	uint64_t a, b, why, id, want;
	struct sts_str kind;

	if (in.len > STS_LINK_MAX || !scan_char(&s, '1') ||
	    !scan_word(&s, ':', &kind) || kind.len != 1)
		return false;
	if (!hex_word(&s, STS_TIME_MAX, &a) ||
	    !hex_word(&s, STS_TIME_MAX, &b) ||
	    !hex_word(&s, STS_WHY_LAST, &why) || !hex_word(&s, UINT32_MAX, &id))
		return false;
	if (scan_left(&s) != 8 ||
	    !sts_hex64((struct sts_str){ s.p, 8 }, UINT32_MAX, &want) ||
	    want != sts_checksum(domain, (struct sts_str){ in.p, in.len - 8 }))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(link_kinds); i++)
		if (link_kinds[i].letter == kind.p[0])
			e->kind = link_kinds[i].kind;
	e->why = (enum sts_reason)why;
	e->failed_id = (uint32_t)id;
	if (e->kind == STS_ENTRY_UNASKED) {
		e->tried = (int64_t)a;
		e->retry = (int64_t)b;
	} else {
		e->checked = (int64_t)a;
		if (e->kind == STS_ENTRY_NO_FETCH)
			e->failed = (int64_t)b;
		else
			e->until = (int64_t)b;
	}
	return e->kind != STS_ENTRY_ABSENT;
}

/* --- Files -------------------------------------------------------------- */

static size_t
encode_file(char *buf, const struct sts_entry *e, const char *domain)
{
	char head[STS_ENTRY_HEAD_MAX - 64];
	char first[STS_CHECKSUM_LINE_MAX];
	bool policy = e->kind == STS_ENTRY_POLICY;
	struct sts_str body = policy ? e->body : (struct sts_str){ "", 0 };
	const char *id = policy ? e->id : "-";
	char note[STS_NOTE_SIZE];
	uint64_t h;
	size_t len, flen;
	int n;

	if (body.len > STS_BODY_MAX || id[0] == '\0')
		return 0;
	snprintf(note, sizeof note, "%s", e->note);
	for (char *p = note; *p != '\0'; p++)
		if (!is_print(*p))
			*p = '?';
	n = snprintf(head, sizeof head,
	    "domain %s\nkind %s\nid %s\nsince %" PRId64 "\nfetched %" PRId64
	    "\nchecked %" PRId64 "\nexpires %" PRId64 "\ntried %" PRId64
	    " %" PRId64 "\nfailed %" PRId64 " %" PRIu32 "\nwhy %s\nnote %s\n\n",
	    domain, kinds[e->kind], id, e->since != 0 ? e->since : e->fetched,
	    e->fetched, e->checked, e->until, e->tried, e->retry, e->failed,
	    e->failed_id, sts_reason_name(e->why), note);
	if (n < 0 || (size_t)n >= sizeof head)
		return 0;
	len = (size_t)n + body.len;
	h = sts_hash_more(sts_hash(str_of(domain)),
	    (struct sts_str){ head, (size_t)n });
	flen = sts_checksum_line_put(first, FILE_MAGIC, len,
	    sts_hash_fold(sts_hash_more(h, body)));
	memcpy(buf, first, flen);
	memcpy(buf + flen, head, (size_t)n);
	if (body.len > 0)
		memcpy(buf + flen + n, body.p, body.len);
	return flen + len;
}

static bool
decode_kind(struct scan *s, struct sts_entry *e)
{
	struct sts_str w;

	if (!scan_word(s, '\n', &w))
		return false;
	for (size_t i = STS_ENTRY_POLICY; i < ARRAY_LEN(kinds); i++)
		if (str_is(w, kinds[i])) {
			e->kind = (enum sts_entry_kind)i;
			return true;
		}
	return false;
}

static bool
decode_id(struct scan *s, struct sts_entry *e)
{
	struct sts_str id;

	if (e->kind != STS_ENTRY_POLICY)
		return scan_lit(s, "-\n");
	if (!scan_word(s, '\n', &id) || !str_all(id, is_alnum) ||
	    id.len >= sizeof e->id)
		return false;
	memcpy(e->id, id.p, id.len);
	e->id[id.len] = '\0';
	return true;
}

static bool
decode_note(struct scan *s, struct sts_entry *e)
{
	struct sts_str w;

	if (!scan_word(s, '\n', &w) || w.len >= sizeof e->note ||
	    (w.len > 0 && !str_all(w, is_print)))
		return false;
	memcpy(e->note, w.p, w.len);
	e->note[w.len] = '\0';
	return true;
}

/*
 * The times must make sense together, or the policy could live for ever; what
 * is none is a file for its sentence.
 */
static bool
sane(const struct sts_entry *e)
{
	if (e->kind != STS_ENTRY_POLICY)
		return e->note[0] != '\0';
	return e->until >= e->fetched &&
	    e->until - e->fetched <= STS_MAX_AGE_MAX;
}

static bool
decode_head(struct sts_entry *e, struct scan *s, const char *domain)
{
	struct sts_str w;
	int64_t id;

	if (!scan_lit(s, "domain ") || !scan_word(s, '\n', &w) ||
	    !str_is(w, domain) || !scan_lit(s, "kind ") || !decode_kind(s, e) ||
	    !scan_lit(s, "id ") || !decode_id(s, e) || !scan_lit(s, "since ") ||
	    !sts_time_word(s, '\n', &e->since) || !scan_lit(s, "fetched ") ||
	    !sts_time_word(s, '\n', &e->fetched) || !scan_lit(s, "checked ") ||
	    !sts_time_word(s, '\n', &e->checked) || !scan_lit(s, "expires ") ||
	    !sts_time_word(s, '\n', &e->until) || !scan_lit(s, "tried ") ||
	    !sts_time_word(s, ' ', &e->tried) ||
	    !sts_time_word(s, '\n', &e->retry) || !scan_lit(s, "failed ") ||
	    !sts_time_word(s, ' ', &e->failed) ||
	    !sts_time_word(s, '\n', &id) || id > UINT32_MAX ||
	    !scan_lit(s, "why ") || !reason_word(s, &e->why) ||
	    !scan_lit(s, "note ") || !decode_note(s, e) || !scan_char(s, '\n'))
		return false;
	e->failed_id = (uint32_t)id;
	return sane(e);
}

static bool
decode_file(struct sts_entry *e, struct sts_str in, const char *domain)
{
	struct scan s = scan_str(in);

	if (in.len > STS_ENTRY_MAX ||
	    !sts_checksum_line_check(&s, FILE_MAGIC, domain, STS_ENTRY_MAX) ||
	    !decode_head(e, &s, domain))
		return false;
	e->body = scan_rest(&s);
	return e->body.len <= (e->kind == STS_ENTRY_POLICY ? STS_BODY_MAX : 0);
}

size_t
sts_entry_encode(char *buf, const struct sts_entry *e, const char *domain,
    bool *is_link)
{
	*is_link = e->kind != STS_ENTRY_POLICY && e->note[0] == '\0';
	if (e->kind == STS_ENTRY_ABSENT)
		return 0;
	if (!*is_link)
		return encode_file(buf, e, domain);
	for (size_t i = 0; i < ARRAY_LEN(link_kinds); i++)
		if (link_kinds[i].kind == e->kind)
			return encode_link(buf, link_kinds[i].letter, e,
			    domain);
	return 0;
}

bool
sts_entry_decode(struct sts_entry *out, struct sts_str in, bool is_link,
    const char *domain)
{
	*out = (struct sts_entry){ .kind = STS_ENTRY_ABSENT };
	if (is_link ? decode_link(out, in, domain)
		    : decode_file(out, in, domain))
		return true;
	*out = (struct sts_entry){ .kind = STS_ENTRY_ABSENT };
	return false;
}
