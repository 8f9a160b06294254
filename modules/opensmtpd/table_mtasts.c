/* SPDX-License-Identifier: ISC */
/*
 * table-mtasts: a table of OpenSMTPD, see table-mtasts(5).
 *
 * smtpd asks one thing at a time and does nothing else until it is answered;
 * when this process ends, so does smtpd.  So nothing here waits, and nothing
 * but the end of input is an end.
 */
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "line_buffer.h"
#include "smtpd_io.h"
#include "table_answer.h"
#include "table_imsg.h"
#include "table_line.h"

enum { FIRST = 4 }; /* bytes that tell the protocol */

struct table {
	struct config config;
	struct forbidden forbidden;
	struct complaint said;
	struct line_buffer in;
	bool waits; /* the table of domains whose mail waits */
};

/* --- Lines: standard input and output ----------------------------------- */

static void
serve_line(struct table *t, struct sts_str line)
{
	char out[TABLE_LINE_ANSWER_MAX];
	struct table_request r;
	struct table_answer a;

	table_line_parse(&r, line);
	if (r.op == TABLE_NAME)
		t->waits = table_waits(r.key);
	if (r.op == TABLE_READY) {
		const char *text =
		    t->waits ? TABLE_LINE_REGISTER_WAIT : TABLE_LINE_REGISTER;

		smtpd_write(STDOUT_FILENO, text, strlen(text));
	}
	if (r.op < TABLE_CHECK)
		return;
	answer(&a, &r, &t->config, &t->forbidden, t->waits);
	if (a.local) /* smtpd logs the text, but not as the fault it is */
		complain(&t->said, a.text);
	smtpd_write(STDOUT_FILENO, out, table_line_answer(out, &r, &a));
}

static void
serve_lines(struct table *t)
{
	struct sts_str line;
	size_t room, n;
	char *p;

	for (;;) {
		while (line_buffer_next(&t->in, &line))
			serve_line(t, line);
		p = line_buffer_room(&t->in, &room);
		if ((n = smtpd_read(STDIN_FILENO, p, room)) == 0)
			return;
		line_buffer_add(&t->in, n);
	}
}

/* --- imsg: standard input alone, both ways ------------------------------ */

static void
serve_message(struct table *t, const struct table_request *r)
{
	char out[IMSG_ANSWER_MAX];
	struct table_answer a;

	if (r->op == TABLE_OPEN)
		t->waits = table_waits(r->key);
	answer(&a, r, &t->config, &t->forbidden, t->waits);
	/* This smtpd does not hear the reason. */
	if (a.found == TABLE_ERROR || a.local)
		complain(&t->said, a.text);
	smtpd_write(STDIN_FILENO, out, table_imsg_answer(out, r, &a));
}

static void
serve_imsg(struct table *t)
{
	struct table_request r;
	size_t room, n;
	char *p;

	for (;;) {
		while ((n = table_imsg_parse(&r,
			    (struct sts_str){ t->in.buf + t->in.taken,
				t->in.used - t->in.taken })) > 0) {
			serve_message(t, &r);
			t->in.taken += n;
		}
		/* The longest message fits, so there is always room. */
		p = line_buffer_room(&t->in, &room);
		if ((n = smtpd_read(STDIN_FILENO, p, room)) == 0)
			return;
		line_buffer_add(&t->in, n);
	}
}

/* ------------------------------------------------------------------------ */

int
main(int argc, char *argv[])
{
	static struct table t;
	size_t n;

	smtpd_survive();
	openlog("table-mtasts", LOG_PID, LOG_MAIL);
	t.config.path = argc > 1 && argv[1][0] != '\0' ? argv[1] : NULL;
	(void)config_get(&t.config, CONFIG_NOW);
	while (t.in.used < FIRST) {
		n = smtpd_read(STDIN_FILENO, t.in.buf + t.in.used,
		    FIRST - t.in.used);
		if (n == 0)
			return 0;
		t.in.used += n;
	}
	if (table_imsg_begins(t.in.buf))
		serve_imsg(&t);
	else
		serve_lines(&t);
	sts_close(t.config.ctx);
	return 0;
}
