/* SPDX-License-Identifier: ISC */
#include "report_mail.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BASE64_LINE = 57 /* bytes that make 76 characters */ };

struct text {
	char *p;
	size_t len, room;
	bool lost;
};

__attribute__((format(printf, 2, 3))) static void
add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->p + t->len, t->room - t->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= t->room - t->len)
		t->lost = true;
	else
		t->len += (size_t)n;
}

static void
add_base64(struct text *t, const unsigned char *p, size_t len)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789+/";
	char line[80];
	size_t n, at;
	unsigned long v;

	for (; len > 0; p += n, len -= n) {
		n = len < BASE64_LINE ? len : BASE64_LINE;
		at = 0;
		for (size_t i = 0; i < n; i += 3) {
			v = (unsigned long)p[i] << 16 |
			    (i + 1 < n ? (unsigned long)p[i + 1] << 8 : 0) |
			    (i + 2 < n ? (unsigned long)p[i + 2] : 0);
			line[at++] = set[v >> 18];
			line[at++] = set[v >> 12 & 63];
			line[at++] = i + 1 < n ? set[v >> 6 & 63] : '=';
			line[at++] = i + 2 < n ? set[v & 63] : '=';
		}
		line[at] = '\0';
		add(t, "%s\n", line);
	}
}

/*
 * TLS-Required: no (RFC 8689 5) and the two TLS-Report fields are 5.3's.  Long
 * fields are folded between words: RFC 5322 2.1.1 allows 998 characters, and
 * names alone may make up more than that.
 */
static void
add_header(struct text *t, const struct report *r, const char *sender,
    const char *to, int64_t now)
{
	char id[REPORT_ID_MAX], date[64];
	time_t seconds = (time_t)now;
	struct tm tm;

	report_id(id, r);
	gmtime_r(&seconds, &tm);
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &tm);
	add(t, "From: %s\nTo: %s\nDate: %s\n", sender, to, date);
	add(t, "Message-ID: <%" PRIu64 ".%s>\n", (uint64_t)now, id);
	add(t, "Subject: Report Domain: %s\n Submitter: %s\n Report-ID: <%s>\n",
	    r->domain, r->submitter, id);
	add(t, "TLS-Report-Domain: %s\nTLS-Report-Submitter: %s\n", r->domain,
	    r->submitter);
	add(t, "TLS-Required: No\nAuto-Submitted: auto-generated\n");
	add(t,
	    "MIME-Version: 1.0\n"
	    "Content-Type: multipart/report; report-type=\"tlsrpt\";\n"
	    "\tboundary=\"tlsrpt.%s\"\n\n",
	    r->unique);
}

static void
add_words(struct text *t, const struct report *r)
{
	char day[REPORT_DAY_TEXT];

	add(t,
	    "--tlsrpt.%s\nContent-Type: text/plain; charset=us-ascii\n\n"
	    "This is an aggregate report about TLS connections (RFC 8460)\n"
	    "to the mail servers of\n    %s\nof %s (UTC), from\n    %s\n"
	    "Questions: %s\n\n",
	    r->unique, r->domain, report_day(day, r->begin), r->organization,
	    r->contact);
}

static void
add_attachment(struct text *t, const struct report *r, const void *body,
    size_t len)
{
	char name[REPORT_NAME_MAX];

	add(t,
	    "--tlsrpt.%s\nContent-Type: application/tlsrpt+gzip\n"
	    "Content-Transfer-Encoding: base64\n"
	    "Content-Disposition: attachment;\n\tfilename=\"%s\"\n\n",
	    r->unique, report_file_name(name, r));
	add_base64(t, body, len);
	add(t, "\n--tlsrpt.%s--\n", r->unique);
}

char *
mail_text(const struct report *r, const char *sender, const char *to,
    const void *body, size_t body_len, int64_t now, size_t *len)
{
	struct text t = { .room = body_len / 57 * 78 + body_len / 2 + 16384 };

	if ((t.p = malloc(t.room)) == NULL)
		return NULL;
	add_header(&t, r, sender, to, now);
	add_words(&t, r);
	add_attachment(&t, r, body, body_len);
	if (t.lost) {
		free(t.p);
		return NULL;
	}
	*len = t.len;
	return t.p;
}
