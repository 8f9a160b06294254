/* SPDX-License-Identifier: ISC */
#include "smtp_session.h"

#include "must.h"

enum { IDS = 7, DOMAINS = 2 * SESSION_DOMAINS, FRESH = IDS };

/* What is to be said of a connection, found out in another way. */
struct model {
	bool open, told_address, tls, wanted, greeted, mail, ours;
	bool said[DOMAINS];
	unsigned ended, counted[DOMAINS + 1], domains;
};

struct all {
	struct model of[IDS + 1];
	size_t at;      /* whose line it is */
	unsigned fresh; /* ids that came only once */
	char id[16];
};

static void
is_this(const struct all *all, const struct session *s)
{
	MUST(s->idlen == strlen(all->id));
	MUST(memcmp(s->id, all->id, s->idlen) == 0);
	MUST(s->address[0] != '\0' && all->of[all->at].open);
	MUST(session_tls_up(s) ==
	    (all->of[all->at].tls && all->of[all->at].greeted));
}

static void
ended(void *arg, const struct session *s, enum session_result result)
{
	struct all *all = arg;
	struct model *m = &all->of[all->at];

	is_this(all, s);
	MUST(++m->ended == 1);
	MUST((result == SESSION_WORKED || result == SESSION_CLEAR) == m->mail);
	MUST(result == SESSION_CLEAR || result == SESSION_FAILED ||
	    (m->tls && m->greeted));
}

static void
count(void *arg, const struct session_count *c)
{
	struct all *all = arg;
	struct model *m = &all->of[all->at];
	size_t d = DOMAINS;

	is_this(all, c->session);
	/* More domains than are told apart may be counted again. */
	if (c->domain[0] != '\0')
		d = ((size_t)c->domain[1] - '0') * 10 + (size_t)c->domain[2] -
		    '0';
	MUST(d <= DOMAINS);
	MUST(++m->counted[d] == 1 || m->domains > SESSION_DOMAINS);
	m->domains += d < DOMAINS;
	MUST(d < DOMAINS ? m->mail && !m->ours : m->domains == 0);
	MUST((c->result == STS_SESSION_OK) == (m->tls && m->greeted));
}

static void
rcpt(void *arg, const struct session *s, const char *domain, bool first)
{
	struct all *all = arg;

	(void)first;
	MUST(s->idlen == strlen(all->id) && domain[0] == 'd');
	MUST(!all->of[all->at].ours);
}

static bool
ours(void *arg, const char *sender)
{
	(void)arg;
	return strcmp(sender, "report@us.example") == 0;
}

static const struct {
	enum filter_event event;
	const char *rest;
} lines[] = {
	{ FILTER_CONNECT, "ptr|pass|192.0.2.1:9|192.0.2.25:25" },
	{ FILTER_CONNECT, "ptr|pass|[2001:db8::1]:9|[2001:db8::25]:25" },
	{ FILTER_CONNECT, "ptr|pass|unknown|" },
	{ FILTER_TLS, "" },
	{ FILTER_GONE, "" },
	{ FILTER_CLIENT, "EHLO us.example" },
	{ FILTER_CLIENT, "helo us.example" },
	{ FILTER_CLIENT, "STARTTLS" },
	{ FILTER_CLIENT, "MAIL FROM:<u@a.example>" },
	{ FILTER_CLIENT, "MAIL FROM:<report@us.example> SIZE=1" },
	{ FILTER_CLIENT, "QUIT" },
	{ FILTER_CLIENT, "RSET" },
	{ FILTER_SERVER, "250-mx.example" },
	{ FILTER_SERVER, "250-STARTTLS" },
	{ FILTER_SERVER, "250 SIZE" },
	{ FILTER_SERVER, "220 go" },
	{ FILTER_SERVER, "454 not now" },
	{ FILTER_SERVER, "502 what" },
	{ FILTER_SERVER, "" },
};

/* The same line for the model; what the hooks do must fit. */
static void
learn(struct model *m, enum filter_event event, const char *rest)
{
	if (event == FILTER_TLS)
		m->tls = true;
	else if (event == FILTER_CLIENT) {
		m->wanted |= strcmp(rest, "STARTTLS") == 0;
		if (strcmp(rest + 1, "HLO us.example") == 0 || *rest == 'h')
			m->greeted = m->wanted;
		if (strncmp(rest, "MAIL", 4) == 0) {
			m->mail = true;
			m->ours = strstr(rest, "report") != NULL;
		}
	}
}

static void
report(struct sessions *sessions, struct all *all, enum filter_event event,
    const char *rest)
{
	static const struct session_hooks form = { ended, rcpt, count, ours,
		NULL };
	struct session_hooks hooks = form;
	struct model *m = &all->of[all->at];
	bool known = m->open && m->told_address && all->fresh == 0;
	struct filter_line f = { .event = event, .rest = str_of(rest) };

	if (all->at == FRESH)
		all->fresh++;
	snprintf(all->id, sizeof all->id, "%zu-%u", all->at,
	    all->at == FRESH ? all->fresh : 0);
	f.session = str_of(all->id);
	hooks.arg = all;
	if (event != FILTER_CONNECT)
		learn(m, event, rest);
	session_report(sessions, &f, 1, &hooks);
	/* However it goes on, each connection has one end. */
	if (event == FILTER_CONNECT || event == FILTER_GONE) {
		MUST(!known || m->ended == 1);
		*m = (struct model){ .open = event == FILTER_CONNECT };
		m->told_address = strstr(rest, ":25") != NULL;
	} else if (strncmp(rest, "RCPT", 4) == 0 && m->mail && !m->ours) {
		size_t d =
		    ((size_t)rest[12] - '0') * 10 + (size_t)rest[13] - '0';

		MUST(!known || m->said[d] || !m->tls || !m->greeted ||
		    m->counted[d] == 1);
		m->said[d] = true;
	}
}

/*
 * First byte: whether there are nearly as many sessions as there may be.  Then
 * three bits of a byte say whose line it is, the others which.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct sessions sessions, full;
	struct all all = { .at = FRESH };
	char rest[] = "RCPT TO:<u@d00.example>";
	size_t open = 0, used = 0;

	for (int i = 0; full.clock == 0 && i < SESSIONS_MAX - 3; i++)
		report(&sessions, &all, FILTER_CONNECT, lines[0].rest);
	if (full.clock == 0)
		full = sessions;
	if (len > 0 && (*data & 1) != 0) {
		sessions = full;
		all.fresh = SESSIONS_MAX - 3;
	} else
		memset(&sessions, 0, sizeof sessions);
	for (size_t i = 1; i < len && i < 1000; i++) {
		size_t what = data[i] & 31;

		all.at = data[i] >> 5;
		if (what < ARRAY_LEN(lines))
			report(&sessions, &all, lines[what].event,
			    lines[what].rest);
		else if (i + 1 < len) {
			rest[12] = (char)('0' + data[++i] % DOMAINS / 10);
			rest[13] = (char)('0' + data[i] % DOMAINS % 10);
			report(&sessions, &all, FILTER_CLIENT, rest);
		}
	}
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		MUST((sessions.key[i] != 0) == (sessions.of[i].used != 0));
		used += sessions.key[i] != 0;
	}
	for (size_t i = 0; i < IDS; i++)
		open += all.of[i].open;
	MUST(all.fresh > 0 ? used <= open + all.fresh : used == open);
	return 0;
}
