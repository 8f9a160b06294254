/* SPDX-License-Identifier: ISC */
/*
 * The functions that exim.conf calls with ${dlfunc}; see mtasts-exim(5).
 *
 * No Exim header is included: the prototype and the return codes below have
 * been the same from 4.96 to 4.100, all else in them has not.  Exim copies
 * the result at once, so it may live in a buffer of ours; what we return is
 * untainted, so nothing foreign may pass unjudged.
 */
#include "sts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base64.h"

enum exim_rc { EXIM_OK = 0, EXIM_DEFER = 1 };

enum { ARGS_MAX = 7 }; /* argv is not terminated with 8 of them */

typedef int exim_function(unsigned char **yield, int argc,
    unsigned char *argv[]);
exim_function mtasts_policy, mtasts_event;

/*
 * Exim loads us once per process and calls us once per recipient: what was
 * read and what was waited for is kept between calls, for one configuration.
 */
static struct {
	struct sts_ctx *ctx;
	char *path; /* NULL: the default */
	char *result;
} state;

/* Exim copies the text before it calls again. */
static int
result(unsigned char **yield, int rc, char *text)
{
	static char nomem[] = "mtasts: out of memory";

	free(state.result);
	state.result = text;
	*yield = (unsigned char *)(text == NULL ? nomem : text);
	return text == NULL ? EXIM_DEFER : rc;
}

/* One line for the main log: who speaks, and why mail has to wait. */
static int
defer(unsigned char **yield, const char *domain, const struct sts_err *err)
{
	char text[sizeof err->text + STS_NAME_SIZE + 32];

	snprintf(text, sizeof text, "mtasts: %.80s%s%s", domain,
	    domain[0] == '\0' ? "" : ": ", err->text);
	return result(yield, EXIM_DEFER, strdup(text));
}

static enum sts_rc
get_ctx(struct sts_ctx **out, const char *path, struct sts_err *err)
{
	bool same = path == NULL
	    ? state.path == NULL
	    : state.path != NULL && strcmp(path, state.path) == 0;
	enum sts_rc rc;

	if (state.ctx == NULL || !same || sts_stale(state.ctx)) {
		free(state.path);
		state.path = NULL;
		if (path != NULL && (state.path = strdup(path)) == NULL) {
			sts_close(state.ctx);
			state.ctx = NULL;
			snprintf(err->text, sizeof err->text, "out of memory");
			return STS_NOMEM;
		}
		if ((rc = sts_reopen(&state.ctx, path, err)) != STS_OK)
			return rc;
	}
	*out = state.ctx;
	return STS_OK;
}

/* A missing or empty argument is NULL. */
static const char *
arg(int argc, unsigned char *argv[], int i)
{
	if (i >= argc || i >= ARGS_MAX || argv[i] == NULL || argv[i][0] == '\0')
		return NULL;
	return (const char *)argv[i];
}

static bool
printable(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s < 0x21 || *s > 0x7e)
			return false;
	return true;
}

/*
 * ${dlfunc{SO}{mtasts_policy}{DOMAIN}{CONFIG}}, CONFIG optional, in
 * address_data, the one option of a router that defers when it fails.
 */
__attribute__((visibility("default"))) int
mtasts_policy(unsigned char **yield, int argc, unsigned char *argv[])
{
	const char *domain = arg(argc, argv, 0);
	struct sts_err err = { 0 };
	struct sts_answer *a;
	struct sts_ctx *ctx;
	char *text;

	if (domain == NULL) /* a bounce, a local part alone: nothing to do */
		return result(yield, EXIM_OK, strdup("sts=none ignore=\"\""));
	if (get_ctx(&ctx, arg(argc, argv, 1), &err) != STS_OK)
		return defer(yield, "", &err);
	if (sts_query(ctx, domain, 0, &a, &err) != STS_OK)
		return defer(yield, printable(domain) ? domain : "", &err);
	if (a->verdict == STS_CANNOT_TELL) {
		snprintf(err.text, sizeof err.text, "%s", a->why);
		sts_answer_free(a);
		return defer(yield, domain, &err);
	}
	text = exim_answer(a);
	sts_answer_free(a);
	return result(yield, EXIM_OK, text);
}

/* 4.2: only a DNS-ID counts, where Exim would take a bare common name. */
static const char *
judge_certificate(const char *depth, const char *mode, const char *cert)
{
	unsigned char *der;
	bool good;
	long len;

	if (depth == NULL || strcmp(depth, "0") != 0 || mode == NULL ||
	    strcmp(mode, "enforce") != 0 || cert == NULL)
		return "";
	if ((der = malloc(strlen(cert))) == NULL)
		return "out of memory";
	len = exim_base64(der, cert);
	good = len > 0 && sts_cert_has_dns_id(der, (size_t)len, NULL);
	free(der);
	return good ? ""
		    : "MTA-STS: certificate without a DNS name in its "
		      "subjectAltName";
}

/*
 * ${dlfunc{SO}{mtasts_event}{EVENT}{DATA}{DOMAIN}{HOST}{MODE}{CERT}{CONFIG}}
 * in event_action, and with EVENT "no-host" in the :defer: router.  Reports,
 * and so always succeeds: a failing event_action would deliver unprotected.
 */
__attribute__((visibility("default"))) int
mtasts_event(unsigned char **yield, int argc, unsigned char *argv[])
{
	const char *event = arg(argc, argv, 0), *domain = arg(argc, argv, 2);
	const char *said = "";
	struct sts_ctx *ctx;
	struct sts_err err;

	if (event != NULL && strcmp(event, "tls:cert") == 0)
		said = judge_certificate(arg(argc, argv, 1), arg(argc, argv, 4),
		    arg(argc, argv, 5));
	else if (event != NULL && domain != NULL &&
	    (strcmp(event, "msg:host:defer") == 0 ||
		strcmp(event, "no-host") == 0) &&
	    get_ctx(&ctx, arg(argc, argv, 6), &err) == STS_OK)
		/* RFC 8461 5: look for a newer policy before giving up. */
		(void)sts_failed(ctx, domain, &err);
	(void)result(yield, EXIM_OK, strdup(said));
	return EXIM_OK;
}
