/* SPDX-License-Identifier: ISC */
/* The keys of [report] in mtasts.conf(5). */
#include "conf_load.h"

enum {
	LOCAL_PART_MAX = 64,
	ORGANIZATION_MAX = 120,
	SOCKET_MAX = 103, /* of sun_path the BSDs have four bytes less */
	DAY = 86400
};

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
 * An addr-spec without quotes, as 4.4 wants for contact-info; it goes into
 * header lines and onto a command line, so nothing else will do.
 */
static bool
take_address(struct sts_load *l, struct sts_str v, const char **out)
{
	struct scan s = scan_str(v);
	struct sts_str local = scan_while(&s, is_atom), domain;
	char name[STS_NAME_SIZE], normal[STS_NAME_SIZE];

	if (local.len == 0 || local.len > LOCAL_PART_MAX || local.p[0] == '-' ||
	    local.p[0] == '.' || local.p[local.len - 1] == '.' ||
	    two_dots(local) || !scan_char(&s, '@'))
		return false;
	domain = scan_rest(&s);
	if (domain.len >= sizeof name)
		return false;
	memcpy(name, domain.p, domain.len);
	name[domain.len] = '\0';
	if (sts_domain_normal(normal, name, NULL) != STS_OK ||
	    strlen(normal) != domain.len)
		return false;
	*out = sts_conf_keep(l, v);
	return true;
}

static bool
take_contact(struct sts_load *l, struct sts_str v)
{
	return take_address(l, v, &l->conf->report.contact);
}

static bool
take_sender(struct sts_load *l, struct sts_str v)
{
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
take_spool_dir(struct sts_load *l, struct sts_str v)
{
	return sts_conf_path(l, v, &l->conf->report.spool_dir);
}

static bool
take_sendmail(struct sts_load *l, struct sts_str v)
{
	return sts_conf_path(l, v, &l->conf->report.sendmail);
}

static bool
take_success(struct sts_load *l, struct sts_str v)
{
	return sts_conf_bool(v, &l->conf->report.success);
}

static bool
take_jitter(struct sts_load *l, struct sts_str v)
{
	return sts_conf_seconds(v, 0, 8 * 3600, &l->conf->report.jitter);
}

static bool
take_keep(struct sts_load *l, struct sts_str v)
{
	return sts_conf_seconds(v, 2 * DAY, 60 * DAY, &l->conf->report.keep);
}

static bool
take_sink(struct sts_load *l, struct sts_str v)
{
	static const struct sts_choice sinks[] = {
		{ "send", STS_SINK_SEND },
		{ "tlsrpt", STS_SINK_TLSRPT },
	};
	int sink = sts_conf_choose(v, sinks, ARRAY_LEN(sinks));

	if (sink == -1)
		return false;
	l->conf->report.sink = (enum sts_sink)sink;
	l->sink_line = l->line;
	if (sink == STS_SINK_TLSRPT && !STS_WITH_TLSRPT)
		sts_conf_problem(l, "not-built",
		    "sink = tlsrpt: built without libtlsrpt");
	return true;
}

static bool
take_tlsrpt_socket(struct sts_load *l, struct sts_str v)
{
	return v.len <= SOCKET_MAX &&
	    sts_conf_path(l, v, &l->conf->report.tlsrpt_socket);
}

void
sts_conf_report_end(struct sts_load *l)
{
	if (l->conf->report.sink != STS_SINK_TLSRPT ||
	    l->conf->report.tlsrpt_socket != NULL)
		return;
	l->line = l->sink_line;
	sts_conf_problem(l, "missing-key",
	    "sink = tlsrpt wants a tlsrpt_socket, too");
}

static const struct sts_key keys[] = {
	{ "contact", take_contact, "a mail address", false },
	{ "organization", take_organization,
	    "up to 120 printable ASCII characters", false },
	{ "sender", take_sender, "a mail address", false },
	{ "spool_dir", take_spool_dir, "an absolute path", false },
	{ "sendmail", take_sendmail, "an absolute path", false },
	{ "success", take_success, "yes or no", false },
	{ "jitter", take_jitter, "0s to 8h", false },
	{ "keep", take_keep, "2d to 60d", false },
	{ "sink", take_sink, "send or tlsrpt", false },
	{ "tlsrpt_socket", take_tlsrpt_socket,
	    "an absolute path of at most 103 bytes", false },
};

void
sts_conf_report_key(struct sts_load *l, const char *name, struct sts_str value)
{
	sts_conf_take(l, keys, ARRAY_LEN(keys), &l->report_set, name, value);
}

void
sts_conf_report_defaults(struct sts_report_conf *r)
{
	r->spool_dir = STS_SPOOL_DIR;
	r->sendmail = "/usr/sbin/sendmail";
	r->success = true;
	r->jitter = 4 * 3600;
	r->keep = 7 * DAY;
}
