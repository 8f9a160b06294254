/* SPDX-License-Identifier: ISC */
/*
 * From a policy host's reply to a policy, RFC 8461 3.2 and 3.3.
 *
 *   media-type = type "/" subtype *( OWS ";" parameter )   (RFC 9110 8.3.1)
 */
#include "fetch.h"

#include "err.h"
#include "scan.h"

static const struct {
	enum sts_fetch fetch;
	const char *text;
} ends[] = {
	[STS_REPLY_COMPLETE] = { STS_FETCH_OK, "complete" },
	[STS_REPLY_TIMEOUT] = { STS_FETCH_ERROR, "no whole reply in time" },
	[STS_REPLY_CONNECT] = { STS_FETCH_ERROR, "no connection" },
	[STS_REPLY_TLS] = { STS_FETCH_ERROR, "TLS handshake failed" },
	[STS_REPLY_CERT] = { STS_FETCH_WEBPKI, "certificate refused" },
	[STS_REPLY_TOO_BIG] = { STS_FETCH_ERROR, "reply over the size limit" },
	[STS_REPLY_CUT] = { STS_FETCH_ERROR, "reply ended too early" },
	[STS_REPLY_PROTOCOL] = { STS_FETCH_ERROR, "reply is not HTTP" },
	[STS_REPLY_LOCAL] = { STS_FETCH_LOCAL, "trouble on this host" },
};

const char *
sts_fetch_name(enum sts_fetch fetch)
{
	static const char *const names[] = {
		[STS_FETCH_OK] = "ok",
		[STS_FETCH_ERROR] = "sts-policy-fetch-error",
		[STS_FETCH_WEBPKI] = "sts-webpki-invalid",
		[STS_FETCH_INVALID] = "sts-policy-invalid",
		[STS_FETCH_LOCAL] = "local",
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

/* 3.2: text/plain; of the parameters none changes what the bytes mean. */
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

/* How far the exchange itself came. */
static enum sts_fetch
judge_end(const struct sts_reply *r, struct sts_err *err)
{
	bool known = (size_t)r->end < ARRAY_LEN(ends);
	enum sts_fetch f = known ? ends[r->end].fetch : STS_FETCH_LOCAL;
	const char *text = known ? ends[r->end].text : "unknown end of reply";
	enum sts_rc rc = f == STS_FETCH_LOCAL ? STS_LOCAL : STS_TEMPFAIL;
	const char *colon = r->why[0] != '\0' ? ": " : "";
	int why_len = (int)strnlen(r->why, sizeof r->why);

	if (f == STS_FETCH_OK && r->cert != STS_CERT_OK)
		f = STS_FETCH_WEBPKI;
	if (f == STS_FETCH_WEBPKI)
		sts_fail(err, STS_TEMPFAIL, 0, "certificate refused (%s)%s%.*s",
		    sts_cert_name(r->cert), colon, why_len, r->why);
	else if (f != STS_FETCH_OK)
		sts_fail(err, rc, 0, "%s%s%.*s", text, colon, why_len, r->why);
	return f;
}

/* What the headers say of a complete reply. */
static bool
judge_head(const struct sts_reply *r, struct sts_err *err)
{
	struct sts_str type = { r->content_type,
		strnlen(r->content_type, sizeof r->content_type) };

	if (r->status != 200) /* 3.3: anything else is a failed fetch */
		sts_fail(err, STS_TEMPFAIL, 0, "HTTP status %ld%s", r->status,
		    r->status >= 300 && r->status < 400
			? ", and redirects are not followed"
			: "");
	else if (type.len == 0)
		sts_fail(err, STS_TEMPFAIL, 0, "no Content-Type");
	else if (!is_text_plain(type))
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

enum sts_fetch
sts_fetch_judge(const struct sts_reply *r, struct sts_policy **out,
    struct sts_err *err)
{
	enum sts_fetch f;
	enum sts_rc rc;

	*out = NULL;
	if ((f = judge_end(r, err)) != STS_FETCH_OK)
		return f;
	if (!judge_head(r, err))
		return STS_FETCH_ERROR;
	rc = sts_policy_parse(out, r->body, r->len, NULL, NULL, err);
	if (rc == STS_OK)
		return STS_FETCH_OK;
	return rc == STS_INVALID ? STS_FETCH_INVALID : STS_FETCH_LOCAL;
}
