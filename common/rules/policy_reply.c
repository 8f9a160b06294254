/* SPDX-License-Identifier: ISC */
/*
 * From a policy host's reply to a policy, RFC 8461 3.2 and 3.3.
 *
 *   media-type = type "/" subtype *( OWS ";" parameter )   (RFC 9110 8.3.1)
 *
 * A field that is sent twice is a list (RFC 9110 5.3).
 */
#include "policy_reply.h"

#include "base/err.h"
#include "base/scan.h"

static const struct {
	enum sts_policy_reply fetch;
	const char *text;
} ends[] = {
	[STS_REPLY_COMPLETE] = { STS_POLICY_REPLY_OK, "complete" },
	[STS_REPLY_TIMEOUT] = { STS_POLICY_REPLY_ERROR,
	    "no whole reply in time" },
	[STS_REPLY_CONNECT] = { STS_POLICY_REPLY_ERROR, "no connection" },
	[STS_REPLY_TLS] = { STS_POLICY_REPLY_ERROR, "TLS handshake failed" },
	[STS_REPLY_CERT] = { STS_POLICY_REPLY_WEBPKI, "certificate refused" },
	[STS_REPLY_TOO_BIG] = { STS_POLICY_REPLY_ERROR,
	    "reply over the size limit" },
	[STS_REPLY_CUT] = { STS_POLICY_REPLY_ERROR, "reply ended too early" },
	[STS_REPLY_PROTOCOL] = { STS_POLICY_REPLY_ERROR, "reply is not HTTP" },
	[STS_REPLY_LOCAL] = { STS_POLICY_REPLY_LOCAL, "trouble on this host" },
};

const char *
sts_policy_reply_name(enum sts_policy_reply fetch)
{
	static const char *const names[] = {
		[STS_POLICY_REPLY_OK] = "ok",
		[STS_POLICY_REPLY_ERROR] = "sts-policy-fetch-error",
		[STS_POLICY_REPLY_WEBPKI] = "sts-webpki-invalid",
		[STS_POLICY_REPLY_INVALID] = "sts-policy-invalid",
		[STS_POLICY_REPLY_LOCAL] = "local",
	};

	return (size_t)fetch < ARRAY_LEN(names) ? names[fetch] : "?";
}

const char *
sts_cert_name(enum sts_cert cert)
{
	static const char *const names[] = {
		[STS_CERT_OK] = "ok",
		[STS_CERT_HOST_MISMATCH] = "host-mismatch",
		[STS_CERT_EXPIRED] = "expired",
		[STS_CERT_NOT_YET_VALID] = "not-yet-valid",
		[STS_CERT_NOT_TRUSTED] = "not-trusted",
		[STS_CERT_NO_DNS_ID] = "no-dns-id",
		[STS_CERT_OTHER] = "other",
	};

	return (size_t)cert < ARRAY_LEN(names) ? names[cert] : "?";
}

/* RFC 8461 3.2: text/plain; no parameter changes what the bytes mean. */
static bool
is_text_plain(struct sts_str type)
{
	struct scan s = scan_str(type);
	struct sts_str media;

	scan_wsp(&s);
	if (!scan_until(&s, ';', &media))
		media = scan_rest(&s);
	while (media.len > 0 && is_wsp(media.p[media.len - 1]))
		media.len--;
	return str_is_nocase(media, "text/plain");
}

/* Up to a comma that is not quoted; false where quotes are not closed. */
static bool
next_type(struct scan *s, struct sts_str *type)
{
	const char *from = s->p;
	bool quoted = false;

	for (; s->p < s->end && (quoted || *s->p != ','); s->p++) {
		quoted ^= *s->p == '"';
		if (quoted && *s->p == '\\' && s->p + 1 < s->end)
			s->p++;
	}
	*type = (struct sts_str){ from, (size_t)(s->p - from) };
	return !quoted;
}

static bool
all_text_plain(struct sts_str types)
{
	struct scan s = scan_str(types);
	struct sts_str type;

	do
		if (!next_type(&s, &type) || !is_text_plain(type))
			return false;
	while (scan_char(&s, ','));
	return true;
}

/* How far the exchange itself came. */
static enum sts_policy_reply
judge_end(const struct sts_reply *r, struct sts_err *err)
{
	bool known = (size_t)r->end < ARRAY_LEN(ends);
	enum sts_policy_reply f =
	    known ? ends[r->end].fetch : STS_POLICY_REPLY_LOCAL;
	const char *text = known ? ends[r->end].text : "unknown end of reply";
	enum sts_rc rc = f == STS_POLICY_REPLY_LOCAL ? STS_LOCAL : STS_TEMPFAIL;
	const char *colon = r->why[0] != '\0' ? ": " : "";
	int why_len = (int)strnlen(r->why, sizeof r->why);

	if (f == STS_POLICY_REPLY_OK && r->cert != STS_CERT_OK)
		f = STS_POLICY_REPLY_WEBPKI;
	if (f == STS_POLICY_REPLY_WEBPKI)
		sts_fail(err, STS_TEMPFAIL, 0, "certificate refused (%s)%s%.*s",
		    sts_cert_name(r->cert), colon, why_len, r->why);
	else if (f != STS_POLICY_REPLY_OK)
		sts_fail(err, rc, 0, "%s%s%.*s", text, colon, why_len, r->why);
	return f;
}

/* What the headers say of a complete reply. */
static bool
judge_head(const struct sts_reply *r, struct sts_err *err)
{
	struct sts_str type = { r->content_type,
		strnlen(r->content_type, sizeof r->content_type) };

	if (r->status != 200) /* RFC 8461 3.3: a failed fetch */
		sts_fail(err, STS_TEMPFAIL, 0, "HTTP status %ld%s", r->status,
		    r->status >= 300 && r->status < 400
			? ", and redirects are not followed"
			: "");
	else if (type.len == 0)
		sts_fail(err, STS_TEMPFAIL, 0, "no Content-Type");
	else if (type.len >= sizeof r->content_type - 1)
		sts_fail(err, STS_TEMPFAIL, 0,
		    "Content-Type of %d bytes or more", STS_TYPE_MAX - 1);
	else if (!all_text_plain(type))
		sts_fail(err, STS_TEMPFAIL, 0,
		    "Content-Type \"%s\" is not text/plain",
		    sts_show(type).text);
	else if (!r->delimited) /* RFC 9112 8: could be cut by anyone */
		sts_fail(err, STS_TEMPFAIL, 0,
		    "neither Content-Length nor chunked: the end of the "
		    "body cannot be trusted");
	else if (r->len > STS_BODY_MAX)
		sts_fail(err, STS_TEMPFAIL, 0, "body of %zu bytes, limit %d",
		    r->len, STS_BODY_MAX);
	else
		return true;
	return false;
}

enum sts_policy_reply
sts_policy_reply_judge(const struct sts_reply *r, struct sts_policy **out,
    struct sts_err *err)
{
	enum sts_policy_reply f;
	enum sts_rc rc;

	*out = NULL;
	if ((f = judge_end(r, err)) != STS_POLICY_REPLY_OK)
		return f;
	if (!judge_head(r, err))
		return STS_POLICY_REPLY_ERROR;
	rc = sts_policy_parse(out, r->body, r->len, NULL, NULL, err);
	if (rc == STS_OK)
		return STS_POLICY_REPLY_OK;
	return rc == STS_INVALID ? STS_POLICY_REPLY_INVALID
				 : STS_POLICY_REPLY_LOCAL;
}
