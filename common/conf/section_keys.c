/* SPDX-License-Identifier: ISC */
/* The keys of [domain "example.com"] and of [report] in mtasts.conf(5). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/domain_name.h"
#include "base/err.h"
#include "reader.h"

static struct sts_domain_conf *
last_domain(struct sts_load *l)
{
	return &((struct conf_all *)l->conf)->domain[l->conf->ndomain - 1];
}

/* Several lines of mx, or one with several patterns, make one list. */
static bool
take_domain_mx(struct sts_load *l, struct sts_str v)
{
	struct sts_domain_conf *d = last_domain(l);
	struct scan s = scan_str(v);
	struct sts_str w;

	while (sts_conf_word(&s, &w))
		if (!sts_mx_valid(w.p, w.len))
			return false;
	if (d->mx == NULL) {
		d->mx = sts_conf_keep(l, v);
		return v.len > 0;
	}
	l->text[l->used - 1] = ' '; /* nothing is kept between two of them */
	sts_conf_keep(l, v);
	return v.len > 0;
}

void
sts_conf_domain_key(struct sts_load *l, const char *name, struct sts_str value)
{
	static const struct sts_key keys[] = {
		{ "mode", STS_KEY_CHOICE,
		    .at = offsetof(struct sts_domain_conf, mode),
		    .word = { "follow", "off", "testing", "enforce" },
		    .wants = "follow, off, testing or enforce" },
		{ "mx", STS_KEY_OWN, .take = take_domain_mx, .repeats = true,
		    .wants = "MX patterns with blanks between" },
	};

	sts_conf_take(l, last_domain(l), keys, ARRAY_LEN(keys), &l->domain_set,
	    name, value);
}

bool
sts_conf_domain_add(struct sts_load *l, const char *name)
{
	struct conf_all *all = (struct conf_all *)l->conf;
	struct sts_domain_conf *more;
	size_t room;

	if (l->conf->ndomain == l->room) {
		room = l->room == 0 ? 16 : l->room * 2;
		more = reallocarray(all->domain, room, sizeof *more);
		if (more == NULL) {
			l->rc = sts_fail(l->err, STS_NOMEM, 0,
			    "%s: out of memory", l->path);
			return false;
		}
		all->domain = more;
		l->room = room;
	}
	all->domain[l->conf->ndomain++] = (struct sts_domain_conf){
		.name = sts_conf_keep(l, str_of(name)),
		.line = l->line,
	};
	l->domain_set = 0;
	return true;
}

/* --- [report] ------------------------------------------------------------- */

enum {
	LOCAL_PART_MAX = 64,
	ORGANIZATION_MAX = 120,
	DESTINATION_MAX = 1000000,
	SOCKET_MAX = 103, /* of sun_path the BSDs have four bytes less */
	DAY = 86400
};

#define DEFAULT_SENDER "mtasts-reports@"

/* RFC 5322 3.2.3 */
static bool
is_atom(char c)
{
	static const char others[] = "!#$%&'*+-/=?^_`{|}~.";

	return is_alnum(c) || memchr(others, c, sizeof others - 1) != NULL;
}

static bool
two_dots(struct sts_str s)
{
	for (size_t i = 1; i < s.len; i++)
		if (s.p[i - 1] == '.' && s.p[i] == '.')
			return true;
	return false;
}

/*
 * An addr-spec without quotes, as RFC 8460 4.4 wants for contact-info; it goes
 * into header lines and onto a command line, so nothing else will do.
 */
static bool
take_address(struct sts_load *l, struct sts_str v, const char **out)
{
	struct scan s = scan_str(v);
	struct sts_str local = scan_while(&s, is_atom), domain;
	char normal[STS_NAME_SIZE];

	if (local.len == 0 || local.len > LOCAL_PART_MAX || local.p[0] == '-' ||
	    local.p[0] == '.' || local.p[local.len - 1] == '.' ||
	    two_dots(local) || !scan_char(&s, '@'))
		return false;
	domain = scan_rest(&s);
	if (!sts_domain_of(normal, domain) || strlen(normal) != domain.len)
		return false;
	*out = sts_conf_keep(l, v);
	return true;
}

static bool
take_contact(struct sts_load *l, struct sts_str v)
{
	l->contact_line = l->line;
	return take_address(l, v, &l->conf->report.contact);
}

static bool
take_sender(struct sts_load *l, struct sts_str v)
{
	l->sender_line = l->line;
	return take_address(l, v, &l->conf->report.sender);
}

static bool
take_organization(struct sts_load *l, struct sts_str v)
{
	if (v.len > ORGANIZATION_MAX || !str_all(v, is_print))
		return false;
	l->conf->report.organization = sts_conf_keep(l, v);
	return true;
}

static bool
take_destination_max(struct sts_load *l, struct sts_str v)
{
	uint64_t n;

	if (!str_u64(v, DESTINATION_MAX, &n) || n == 0)
		return false;
	l->conf->report.destination_max = (unsigned)n;
	return true;
}

static bool
take_tlsrpt_socket(struct sts_load *l, struct sts_str v)
{
	if (v.len == 0 || v.len > SOCKET_MAX || v.p[0] != '/')
		return false;
	l->conf->report.tlsrpt_socket = sts_conf_keep(l, v);
	return true;
}

static bool
take_sink(struct sts_load *l, struct sts_str v)
{
	bool forward = str_is(v, "tlsrpt");

	if (!forward && !str_is(v, "send"))
		return false;
	l->conf->report.sink = forward ? STS_SINK_TLSRPT : STS_SINK_SEND;
	l->sink_line = l->line;
	if (forward && !STS_WITH_TLSRPT)
		sts_conf_problem(l, "not-built",
		    "sink = tlsrpt: built without libtlsrpt");
	return true;
}

/*
 * What is sent by it is held to no policy, so it must be nobody's address: who
 * writes as the contact must not send in clear.  Its domain is the contact's,
 * RFC 8460 5.3, for that is who signs.
 */
static void
finish_sender(struct sts_load *l)
{
	struct conf_all *all = (struct conf_all *)l->conf;
	struct sts_report_conf *r = &l->conf->report;
	const char *domain;

	if (r->contact == NULL)
		return;
	domain = strchr(r->contact, '@') + 1;
	if (r->sender == NULL) {
		(void)snprintf(all->sender, sizeof all->sender, "%s%s",
		    DEFAULT_SENDER, domain);
		r->sender = all->sender;
		l->sender_line = l->contact_line;
	}
	l->line = l->sender_line;
	if (str_is_nocase(str_of(r->sender), r->contact))
		sts_conf_problem(l, "sender-is-contact",
		    "sender %.100s is the contact, too: its mail goes out "
		    "whatever the policy, so it has to be nobody's address",
		    r->sender);
	else if (!str_is_nocase(str_of(domain), strchr(r->sender, '@') + 1))
		sts_conf_problem(l, "sender-domain",
		    "sender must be in %.100s, the domain of contact", domain);
}

void
sts_conf_report_end(struct sts_load *l)
{
	finish_sender(l);
	if (l->conf->report.sink != STS_SINK_TLSRPT ||
	    l->conf->report.tlsrpt_socket != NULL)
		return;
	l->line = l->sink_line;
	sts_conf_problem(l, "missing-key",
	    "sink = tlsrpt requires a tlsrpt_socket, too");
}

#define AT(field) .at = offsetof(struct sts_conf, report.field)

static const struct sts_key keys[] = {
	{ "contact", STS_KEY_OWN, .take = take_contact,
	    .wants = "a mail address" },
	{ "organization", STS_KEY_OWN, .take = take_organization,
	    .wants = "up to 120 printable ASCII characters" },
	{ "sender", STS_KEY_OWN, .take = take_sender,
	    .wants = "a mail address" },
	{ "spool_dir", STS_KEY_PATH, AT(spool_dir),
	    .wants = "an absolute path" },
	{ "sendmail", STS_KEY_PATH, AT(sendmail), .wants = "an absolute path" },
	{ "success", STS_KEY_BOOL, AT(success), .wants = "yes or no" },
	{ "jitter", STS_KEY_SECONDS, AT(jitter), .max = 8 * 3600,
	    .wants = "0s to 8h" },
	{ "keep", STS_KEY_SECONDS, AT(keep), .min = 2 * DAY, .max = 60 * DAY,
	    .wants = "2d to 60d" },
	{ "destination_max", STS_KEY_OWN, .take = take_destination_max,
	    .wants = "a number from 1 to 1000000" },
	{ "sink", STS_KEY_OWN, .take = take_sink, .wants = "send or tlsrpt" },
	{ "tlsrpt_socket", STS_KEY_OWN, .take = take_tlsrpt_socket,
	    .wants = "an absolute path of at most 103 bytes" },
};

void
sts_conf_report_key(struct sts_load *l, const char *name, struct sts_str value)
{
	sts_conf_take(l, l->conf, keys, ARRAY_LEN(keys), &l->report_set, name,
	    value);
}

void
sts_conf_report_defaults(struct sts_report_conf *r)
{
	r->spool_dir = STS_SPOOL_DIR;
	r->sendmail = "/usr/sbin/sendmail";
	r->success = true;
	r->jitter = 4 * 3600;
	r->keep = 7 * DAY;
	r->destination_max = 5000;
}
