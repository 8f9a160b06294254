/* SPDX-License-Identifier: ISC */
/* sts_record_session(): a session, and the policy it was held to. */
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "query.h"
#include "rules/decide.h"
#include "tlsrpt/session_line.h"
#include "tlsrpt/spool.h"
#include <mtasts/session.h>

/*
 * What the host was just told is what it acted on; else what it would be told
 * now.  Answers from the configuration cost nothing and are not remembered.
 */
static enum sts_rc
recall(struct sts_ctx *ctx, const char *domain, int64_t now,
    struct sts_last *out, struct sts_err *err)
{
	struct sts_answer *a;
	enum sts_rc rc;

	if (strcmp(ctx->last.domain, domain) == 0 &&
	    sts_within(now, ctx->last.when, STS_LAST_SPAN)) {
		*out = ctx->last;
		return STS_OK;
	}
	if ((rc = sts_query(ctx, domain, STS_OFFLINE, &a, err)) != STS_OK)
		return rc;
	sts_last_take(out, a);
	sts_answer_free(a);
	return STS_OK;
}

static struct sts_str
text(const char *s)
{
	return s == NULL ? (struct sts_str){ "", 0 } : str_of(s);
}

/* The policy-type, RFC 8460 4.4: sts also where the policy was not to be had,
 * RFC 8460 4.3.2.2. */
static enum sts_policy_type
type_of(const struct sts_session_report *seen, const struct sts_last *p)
{
	switch (seen->result) {
	case STS_TLSA_INVALID:
	case STS_DNSSEC_INVALID:
	case STS_DANE_REQUIRED:
		return STS_TYPE_TLSA; /* RFC 8460 4.3.2.1 */
	case STS_STS_POLICY_FETCH_ERROR:
	case STS_STS_POLICY_INVALID:
	case STS_STS_WEBPKI_INVALID:
		return STS_TYPE_STS;
	case STS_SESSION_OK:
	case STS_STARTTLS_NOT_SUPPORTED:
	case STS_CERTIFICATE_HOST_MISMATCH:
	case STS_CERTIFICATE_EXPIRED:
	case STS_CERTIFICATE_NOT_TRUSTED:
	case STS_VALIDATION_FAILURE:
	case STS_CERTIFICATE_REFUSED:
		break;
	}
	if (seen->dane)
		return STS_TYPE_TLSA;
	return p->applies ? STS_TYPE_STS : STS_TYPE_NO_POLICY_FOUND;
}

/* A kept worker may have none, or another: see sts_stale(). */
enum sts_rc
sts_ctx_spool(struct sts_ctx *ctx, struct sts_err *err)
{
	const char *dir = ctx->conf->report.spool_dir;
	enum sts_rc rc;

	if (ctx->spool != NULL && sts_spool_moved(ctx->spool, dir)) {
		sts_spool_close(ctx->spool);
		ctx->spool = NULL;
		ctx->no_spool = true;
	}
	if (ctx->spool != NULL)
		return STS_OK;
	rc = sts_spool_open(&ctx->spool, dir, STS_SPOOL_DAY_MAX, err);
	if (rc == STS_OK)
		ctx->other_spool = ctx->no_spool;
	else
		ctx->no_spool = true;
	return rc;
}

static enum sts_rc
add(struct sts_ctx *ctx, const struct sts_session *s, struct sts_err *err)
{
	enum sts_rc rc = sts_ctx_spool(ctx, err);

	return rc == STS_OK ? sts_spool_add(ctx->spool, s, s->time, err) : rc;
}

enum sts_rc
sts_ctx_session(struct sts_ctx *ctx, const struct sts_session_report *seen,
    char name[STS_NAME_SIZE], struct sts_last *policy, struct sts_session *s,
    struct sts_err *err)
{
	enum sts_rc rc;

	*s = (struct sts_session){
		.time = sts_now(),
		.result = seen->result,
		.sending_ip = text(seen->sending_ip),
		.mx_host = text(seen->mx_host),
		.mx_helo = text(seen->mx_helo),
		.receiving_ip = text(seen->receiving_ip),
		.reason = text(seen->reason),
	};
	if (seen->domain == NULL)
		return sts_fail(err, STS_USAGE, 0, "a session without domain");
	if ((rc = sts_domain_normal(name, seen->domain, err)) != STS_OK)
		return rc;
	if ((rc = recall(ctx, name, s->time, policy, err)) != STS_OK)
		return rc;
	s->domain = str_of(name);
	s->type = type_of(seen, policy);
	if (s->type == STS_TYPE_STS) {
		s->mode = policy->mode;
		s->id = str_of(policy->id);
	}
	if (s->result != STS_SESSION_OK && seen->der != NULL)
		s->der = (struct sts_str){ seen->der, seen->der_len };
	return STS_OK;
}

bool
sts_records(const struct sts_ctx *ctx)
{
	return ctx->conf->report.contact != NULL && ctx->conf->enabled;
}

enum sts_rc
sts_record_session(struct sts_ctx *ctx, const struct sts_session_report *seen,
    struct sts_err *err)
{
	struct sts_last policy;
	char name[STS_NAME_SIZE];
	struct sts_session s;
	enum sts_rc rc;

	if (!sts_records(ctx))
		return STS_OK;
	rc = sts_ctx_session(ctx, seen, name, &policy, &s, err);
	return rc == STS_OK ? add(ctx, &s, err) : rc;
}

bool
sts_report_sender(const struct sts_ctx *ctx, const char *address)
{
	const char *sender = ctx->conf->report.sender;

	return sender != NULL && address != NULL &&
	    str_is_nocase(str_of(sender), address);
}

bool
sts_report_mail(const struct sts_ctx *ctx, unsigned uid, const char *address)
{
	struct stat st;

	return sts_report_sender(ctx, address) &&
	    stat(ctx->conf->report.spool_dir, &st) == 0 && st.st_uid == uid;
}
