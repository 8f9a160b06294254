/* SPDX-License-Identifier: ISC */
#include "smtp_session.h"

#include <string.h>
#include <strings.h>

#include "keyed_hash.h"
#include <mtasts/session.h>

/* --- Sessions by their ids ------------------------------------------------ */

static uint32_t
key_of(struct sts_str id)
{
	uint64_t h = hash_bytes(HASH_PLAIN, id.p, id.len);

	return (uint32_t)(h ^ h >> 32) | 1;
}

static struct session *
find(struct sessions *all, struct sts_str id)
{
	uint32_t key = key_of(id);
	struct session *s;

	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		if (all->key[i] != key)
			continue;
		s = &all->of[i];
		if (s->idlen == id.len && memcmp(s->id, id.p, id.len) == 0)
			return s;
	}
	return NULL;
}

/* A free one, or the oldest. */
static struct session *
take_place(struct sessions *all)
{
	struct session *s = &all->of[0];

	for (size_t i = 0; i < SESSIONS_MAX; i++)
		if (all->key[i] == 0)
			return &all->of[i];
	for (size_t i = 1; i < SESSIONS_MAX; i++)
		if (all->of[i].used < s->used)
			s = &all->of[i];
	return s;
}

static void
forget(struct sessions *all, struct session *s)
{
	all->key[s - all->of] = 0;
	s->used = 0;
}

/* --- How it stands -------------------------------------------------------- */

bool
session_tls_up(const struct session *s)
{
	return s->tls && s->greeted;
}

bool
session_tls_began(const struct session *s)
{
	return s->wanted && !s->refused;
}

static enum session_result
result(const struct session *s)
{
	if (s->mail)
		return session_tls_up(s) ? SESSION_WORKED : SESSION_CLEAR;
	return session_tls_up(s) && s->quit ? SESSION_IDLE : SESSION_FAILED;
}

static void
report_end(const struct session *s, const struct session_hooks *h)
{
	if (s->address[0] != '\0')
		h->ended(h->arg, s, result(s));
}

/*
 * What RFC 8460 calls it; false: nothing, as no EHLO was answered, or smtpd
 * was told not to use TLS.  RFC 3207 2: STARTTLS is found in the answer to
 * EHLO, so who does not know EHLO does not support STARTTLS.
 */
static bool
find_result(const struct session *s, struct session_count *c)
{
	c->reason = NULL;
	c->result = STS_STARTTLS_NOT_SUPPORTED;
	if (session_tls_up(s)) {
		c->result = STS_SESSION_OK;
		return true;
	}
	if (s->again || session_tls_began(s)) {
		c->result = STS_VALIDATION_FAILURE;
		c->reason = s->tls ? "certificate refused" : "TLS failed";
		return s->again || s->answered;
	}
	return s->no_ehlo || (s->answered && (!s->offered || s->refused));
}

static void
count(struct session *s, const char *domain, const struct session_hooks *h)
{
	struct session_count c = { .session = s, .domain = domain };

	if (s->address[0] != '\0' && find_result(s, &c))
		h->count(h->arg, &c);
	s->told = true;
}

/* --- Events --------------------------------------------------------------- */

static void
connected(struct sessions *all, struct session *s, const struct filter_line *f,
    int64_t now, const struct session_hooks *h)
{
	char before[FILTER_ADDRESS] = "";
	struct session_count c;

	/* The same once more: smtpd tries again in clear. */
	if (s != NULL && !s->mail) {
		report_end(s, h);
		if (find_result(s, &c) && c.result == STS_VALIDATION_FAILURE)
			memcpy(before, s->address, sizeof before);
	}
	if (s == NULL)
		s = take_place(all);
	memset(s, 0, sizeof *s);
	s->used = ++all->clock;
	s->began = now;
	s->idlen = (unsigned char)f->session.len;
	memcpy(s->id, f->session.p, f->session.len);
	all->key[s - all->of] = key_of(f->session);
	filter_addresses(s->from, s->address, f->rest);
	s->again = before[0] != '\0' && strcmp(before, s->address) == 0;
}

/* The command's first word; a parameter or nothing follows. */
static bool
says(struct sts_str line, const char *verb)
{
	size_t len = strlen(verb);

	return line.len >= len && strncasecmp(line.p, verb, len) == 0 &&
	    (line.len == len || line.p[len] == ' ');
}

/* "250-host.example says hello" */
static void
take_helo(struct session *s, struct sts_str text)
{
	size_t len = 0;

	while (len < text.len && len < sizeof s->helo - 1 &&
	    text.p[len] > ' ' && text.p[len] <= '~')
		len++;
	if (len == 0)
		return;
	memcpy(s->helo, text.p, len);
	s->helo[len] = '\0';
}

/*
 * RFC 5321 3.2: "command not recognized", RFC 5321 4.2.2: 500 or 502.  Other
 * refusals are of this client, now, and say nothing of extensions.
 */
static bool
unknown_command(struct sts_str line)
{
	return line.len >= 3 &&
	    (memcmp(line.p, "500", 3) == 0 || memcmp(line.p, "502", 3) == 0);
}

/* One line of an answer, of what code ever. */
static void
server(struct session *s, struct sts_str line)
{
	struct sts_str text = { "", 0 };
	char code = line.len > 0 ? line.p[0] : '\0';
	bool first = s->first;

	if (line.len > 4)
		text = (struct sts_str){ line.p + 4, line.len - 4 };
	if (text.len > 0 && text.p[text.len - 1] == '\r')
		text.len--;
	s->first = false;
	if (s->asked == ASKED_STARTTLS && first)
		s->refused = code == '4' || code == '5';
	if (s->asked == ASKED_EHLO && !s->wanted)
		s->no_ehlo |= unknown_command(line);
	if (s->asked != ASKED_EHLO || code != '2')
		return;
	s->answered = true;
	if (first)
		take_helo(s, text);
	else
		s->offered |= !s->wanted && says(text, "STARTTLS");
}

/* "MAIL FROM:<u@a.example> SIZE=1": no parameter has a '>'. */
static struct sts_str
path_of(struct sts_str line)
{
	const char *open = memchr(line.p, '<', line.len);
	const char *end = open, *stop = line.p + line.len;
	bool quoted = false;

	/* A quoted local part may hold a '>', and so may ORCPT (RFC 3461 4). */
	for (; end != NULL && end < stop && (quoted || *end != '>'); end++) {
		quoted ^= *end == '"';
		end += quoted && *end == '\\' && end + 1 < stop;
	}
	if (end == NULL || end == stop)
		return (struct sts_str){ "", 0 };
	return (struct sts_str){ open + 1, (size_t)(end - open - 1) };
}

static void
mail(struct session *s, struct sts_str line, const struct session_hooks *h)
{
	struct sts_str a = path_of(line);
	char sender[STS_NAME_SIZE + 66]; /* RFC 5321 4.5.3.1 */

	s->mail = true;
	s->mails++;
	s->ours = false;
	if (a.len >= sizeof sender)
		return;
	memcpy(sender, a.p, a.len);
	sender[a.len] = '\0';
	s->ours = h->ours(h->arg, sender);
	s->told |= s->ours;
}

/*
 * RFC 8460 4.2 counts sessions: each domain counts once in a session, whatever
 * the answer is.
 */
static void
rcpt(struct session *s, struct sts_str line, const struct session_hooks *h)
{
	char domain[STS_NAME_SIZE];
	unsigned i = 0;
	uint64_t id;
	bool again;

	if (!s->mail || s->ours || !filter_domain(domain, path_of(line)))
		return;
	id = hash_name(HASH_PLAIN, domain);
	while (i < s->domains && i < SESSION_DOMAINS && s->domain[i].hash != id)
		i++;
	again = i < s->domains && i < SESSION_DOMAINS;
	h->rcpt(h->arg, s, domain, !again || s->domain[i].mail != s->mails);
	if (!again) {
		i = s->domains++ % SESSION_DOMAINS;
		s->domain[i].hash = id;
	}
	s->domain[i].mail = s->mails;
	if (!again)
		count(s, domain, h);
}

static void
client(struct session *s, struct sts_str line, const struct session_hooks *h)
{
	s->asked = ASKED_OTHER;
	s->first = true;
	if (says(line, "STARTTLS")) {
		s->wanted = true;
		s->asked = ASKED_STARTTLS;
	} else if (says(line, "EHLO") || says(line, "HELO")) {
		s->greeted = s->wanted;
		s->asked = ASKED_EHLO;
	} else if (says(line, "MAIL"))
		mail(s, line, h);
	else if (says(line, "RCPT"))
		rcpt(s, line, h);
	else if (says(line, "QUIT"))
		s->quit = true;
}

static void
gone(struct sessions *all, struct session *s, const struct session_hooks *h)
{
	/* Where TLS is up, nobody knows for which domain. */
	if (!s->told && !session_tls_up(s))
		count(s, "", h);
	if (!s->mail)
		report_end(s, h);
	forget(all, s);
}

void
session_report(struct sessions *all, const struct filter_line *f, int64_t now,
    const struct session_hooks *h)
{
	struct session *s = find(all, f->session);
	bool began;

	if (f->event == FILTER_CONNECT)
		connected(all, s, f, now, h);
	if (s == NULL || f->event == FILTER_CONNECT)
		return; /* a failed connect is not announced */
	began = s->mail;
	if (f->event == FILTER_TLS)
		s->tls = true;
	else if (f->event == FILTER_CLIENT)
		client(s, f->rest, h);
	else if (f->event == FILTER_SERVER)
		server(s, f->rest);
	if (!began && s->mail)
		report_end(s, h);
	if (f->event == FILTER_GONE)
		gone(all, s, h);
}
