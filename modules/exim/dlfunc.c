/* SPDX-License-Identifier: ISC */
/*
 * The functions that exim.conf calls with ${dlfunc}; see mtasts-exim(5).
 *
 * No Exim header is included: the prototype and the return codes below have
 * been the same from 4.96 to 4.100, all else in them has not.  Exim copies
 * the result at once, so it may live in a buffer of ours; what we return is
 * untainted, so nothing foreign may pass unjudged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event_args.h"
#include "exim_session_recorder.h"
#include "policy_answer.h"
#include <mtasts/session.h>
#include <mtasts/sts.h>

enum exim_rc { EXIM_OK = 0, EXIM_DEFER = 1 };

enum { ARGS_MAX = 7 }; /* argv is not terminated with 8 of them */

typedef int exim_function(unsigned char **yield, int argc,
    unsigned char *argv[]);
exim_function mtasts_policy, mtasts_event;

/*
 * Exim loads us once per process and calls us once per recipient: what was
 * read and what was waited for is kept between calls, for one configuration.
 */
struct state {
	struct sts_ctx *ctx;
	char *path; /* NULL: the default */
	char *result;
	char message[24]; /* the id of the last one */
	struct exim_sessions *sessions;
};

/* The one variable: Exim has no threads, and gives a dlfunc no place. */
static struct state *state;

static bool
ready(void)
{
	return state != NULL || (state = calloc(1, sizeof *state)) != NULL;
}

/* Exim copies the text before it calls again. */
static int
result(unsigned char **yield, int rc, char *text)
{
	static const char nomem[] = "mtasts: out of memory";
	union { /* Exim does not write to it */
		const char *in;
		unsigned char *out;
	} said = { .in = nomem };

	if (text == NULL || !ready()) {
		free(text);
		*yield = said.out;
		return EXIM_DEFER;
	}
	free(state->result);
	state->result = text;
	*yield = (unsigned char *)text;
	return rc;
}

static enum sts_rc
get_ctx(struct sts_ctx **out, const char *path, struct sts_err *err)
{
	bool same;
	enum sts_rc rc;

	if (!ready()) {
		snprintf(err->text, sizeof err->text, "out of memory");
		return STS_NOMEM;
	}
	same = path == NULL
	    ? state->path == NULL
	    : state->path != NULL && strcmp(path, state->path) == 0;
	if (state->ctx == NULL || !same || sts_stale(state->ctx)) {
		free(state->path);
		state->path = NULL;
		if (path != NULL && (state->path = strdup(path)) == NULL) {
			sts_close(state->ctx);
			state->ctx = NULL;
			snprintf(err->text, sizeof err->text, "out of memory");
			return STS_NOMEM;
		}
		if ((rc = sts_reopen(&state->ctx, path, err)) != STS_OK)
			return rc;
	}
	*out = state->ctx;
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

/* The waiting time is a message's, not a process's. */
static void
note_message(struct sts_ctx *ctx, const char *id)
{
	if (id == NULL ||
	    strncmp(id, state->message, sizeof state->message - 1) == 0)
		return;
	snprintf(state->message, sizeof state->message, "%s", id);
	sts_new_message(ctx, 0);
}

/*
 * ${dlfunc{SO}{mtasts_policy}{DOMAIN}{CONFIG}{SENDER}{MESSAGE}{VERIFY}}, all
 * but the first optional, in address_data, the one option of a router that
 * defers when it fails.  MESSAGE is an id, VERIFY not empty in verification.
 */
__attribute__((visibility("default"))) int
mtasts_policy(unsigned char **yield, int argc, unsigned char *argv[])
{
	const struct exim_question q = {
		.domain = arg(argc, argv, 0),
		.sender = arg(argc, argv, 2),
		.verify = arg(argc, argv, 4) != NULL,
	};
	struct sts_err err = { 0 };
	struct sts_ctx *ctx = NULL;
	bool fault;
	char *text;

	if (q.domain != NULL &&
	    get_ctx(&ctx, arg(argc, argv, 1), &err) != STS_OK)
		ctx = NULL;
	if (ctx != NULL && !q.verify)
		note_message(ctx, arg(argc, argv, 3));
	text = exim_policy_answer(ctx, &q, &err, &fault);
	return result(yield, fault ? EXIM_DEFER : EXIM_OK, text);
}

/*
 * RFC 8461 4.2: only a DNS-ID counts, where Exim would take a bare common name,
 * and by GnuTLS a certificate for clients.
 */
static const char *
judge_certificate(const struct exim_event *e)
{
	if (strcmp(e->name, "tls:cert") != 0 || e->data == NULL ||
	    strcmp(e->data, "0") != 0 || strcmp(e->args.mode, "enforce") != 0 ||
	    !e->said_cert)
		return "";
	if (e->der == NULL || !sts_cert_has_dns_id(e->der, e->der_len, NULL))
		return "MTA-STS: certificate without a DNS name in its "
		       "subjectAltName";
	if (!sts_cert_for_server(e->der, e->der_len))
		return "MTA-STS: certificate that is not for TLS servers";
	return "";
}

/* RFC 8461 5: look for a newer policy before giving up. */
static void
note_failure(struct sts_ctx *ctx, const struct exim_event *e)
{
	struct sts_err err;

	if (e->args.mode[0] != '\0')
		(void)sts_failed(ctx, e->domain, &err);
}

static void
note(struct sts_ctx *ctx, const struct exim_event *e)
{
	bool no_host = strcmp(e->name, "no-host") == 0;

	if (e->domain == NULL)
		return;
	if (no_host || strcmp(e->name, "msg:host:defer") == 0)
		note_failure(ctx, e);
	/* RFC 8460 5.3.1: nothing about reports in reports. */
	if (!sts_records(ctx) || e->args.trial ||
	    exim_is_report(ctx, e->args.sender))
		return;
	if (no_host)
		exim_record_no_host(&state->sessions, ctx, e);
	else
		exim_record(&state->sessions, ctx, e);
}

/* Those that say nothing to us cost nothing. */
static bool
known(const char *event)
{
	static const char names[][16] = { "smtp:ehlo", "msg:host:defer",
		"tcp:connect", "tls:cert", "dane:fail", "no-host" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(event, names[i]) == 0)
			return true;
	return false;
}

static unsigned char *
decode(struct exim_event *e, const char *cert)
{
	unsigned char *der;
	long len;

	e->said_cert = cert != NULL;
	if (cert == NULL || (der = malloc(strlen(cert))) == NULL)
		return NULL;
	if ((len = exim_base64(der, cert)) > 0) {
		e->der = der;
		e->der_len = (size_t)len;
	}
	return der;
}

/*
 * ${dlfunc{SO}{mtasts_event}{EVENT}{DATA}{DOMAIN}{HOST}{SEEN}{CERT}{CONFIG}}
 * in event_action, and with EVENT "no-host" in the :defer: router.  Reports,
 * and so always succeeds: a failing event_action would deliver unprotected.
 */
__attribute__((visibility("default"))) int
mtasts_event(unsigned char **yield, int argc, unsigned char *argv[])
{
	struct exim_event e = {
		.name = arg(argc, argv, 0),
		.data = arg(argc, argv, 1),
		.domain = arg(argc, argv, 2),
		.host = arg(argc, argv, 3),
	};
	const char *said = "";
	unsigned char *der;
	struct sts_ctx *ctx;
	struct sts_err err;

	if (e.name != NULL && known(e.name)) {
		exim_event_args_parse(&e.args, arg(argc, argv, 4));
		der = decode(&e, arg(argc, argv, 5));
		said = judge_certificate(&e);
		if (get_ctx(&ctx, arg(argc, argv, 6), &err) == STS_OK)
			note(ctx, &e);
		free(der);
	}
	(void)result(yield, EXIM_OK, strdup(said));
	return EXIM_OK;
}

/* The end of a process, forked ones too: only the one that began counts. */
__attribute__((destructor)) static void
last_words(void)
{
	if (state != NULL && state->ctx != NULL)
		exim_record_end(state->sessions, state->ctx);
}
