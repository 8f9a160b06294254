/* SPDX-License-Identifier: ISC */
#include "filter_line.h"

#include "line_buffer.h"
#include "must.h"
#include "smtp_session.h"
#include <mtasts/session.h>

struct seen {
	unsigned began, ended, counted;
};

static void
ended(void *arg, const struct session *s, enum session_result result)
{
	struct seen *seen = arg;

	MUST(++seen->ended <= seen->began);
	MUST(field_is_id(str_of(s->address), FILTER_ADDRESS - 1));
	MUST(result != SESSION_WORKED || session_tls_up(s));
	MUST(result != SESSION_CLEAR || !session_tls_up(s));
}

static void
count(void *arg, const struct session_count *c)
{
	MUST(((struct seen *)arg)->began > 0);
	MUST(field_is_id(str_of(c->session->address), FILTER_ADDRESS - 1));
	MUST(c->session->helo[0] == '\0' ||
	    field_is_id(str_of(c->session->helo), SESSION_HELO - 1));
	MUST(strlen(c->domain) < STS_NAME_SIZE);
	MUST(c->result == STS_VALIDATION_FAILURE || c->reason == NULL);
	MUST(c->result != STS_SESSION_OK || c->session->tls);
}

static void
rcpt(void *arg, const struct session *s, const char *domain, bool first)
{
	MUST(((struct seen *)arg)->began > 0);
	(void)first;
	MUST(s->idlen > 0 && s->mail);
	MUST(domain[0] != '\0' && strlen(domain) < STS_NAME_SIZE);
}

static bool
ours(void *arg, const char *sender)
{
	(void)arg;
	return strchr(sender, '@') == NULL;
}

static void
judge_request(const struct filter_line *f)
{
	char out[FILTER_ANSWER_MAX], domain[STS_NAME_SIZE];
	size_t n = filter_proceed(out, f->session, f->token);

	MUST(n > 0 && n < sizeof out && out[n - 1] == '\n');
	MUST(memchr(out, '\n', n) == out + n - 1);
	MUST(memcmp(out + n - 9, "|proceed\n", 9) == 0);
	if (f->event == FILTER_RCPT && filter_domain(domain, f->rest)) {
		n = filter_later(out, f->session, f->token, domain, domain);
		MUST(n < sizeof out && memchr(out, '\n', n) == out + n - 1);
		MUST(domain[0] != '\0' && domain[0] != '[');
		MUST(strchr(domain, '@') == NULL);
		MUST(memmem(f->rest.p, f->rest.len, domain, strlen(domain)) !=
		    NULL);
	}
}

/* Lines as smtpd sends them, and as a stranger may make it send them. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct sessions all;
	struct scan s = scan_bytes(data, len);
	struct filter_line f;
	struct sts_str line;
	struct seen seen = { 0 };
	const struct session_hooks hooks = { ended, rcpt, count, ours, &seen };

	memset(&all, 0, sizeof all);
	while (scan_left(&s) > 0) {
		if (!scan_until(&s, '\n', &line))
			line = scan_rest(&s);
		scan_char(&s, '\n');
		filter_parse(&f, line);
		if (f.event == FILTER_ASKED || f.event == FILTER_RCPT)
			judge_request(&f);
		if (f.event < FILTER_CONNECT)
			continue;
		MUST(field_is_id(f.session, FILTER_ID_MAX));
		/* once for each that was announced */
		seen.began += f.event == FILTER_CONNECT;
		session_report(&all, &f, (int64_t)seen.began, &hooks);
	}
	return 0;
}
