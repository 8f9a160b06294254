/* SPDX-License-Identifier: ISC */
#include "judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "hash.h"
#include "job.h"
#include "session.h"
#include "spool.h"
#include "verdict.h"

/* A session that waits, as its line. */
struct wait {
	STAILQ_ENTRY(wait) next;
	size_t len;
	char line[];
};
STAILQ_HEAD(waits, wait);

/* A host at an address that is, or will be, asked. */
struct target {
	TAILQ_ENTRY(target) next;
	struct judges *judges;
	bool asked;
	char host[STS_NAME_SIZE];
	struct sts_addr addr;
	struct waits waits;
};
TAILQ_HEAD(targets, target);

struct known {
	uint64_t hash; /* of host and address */
	int64_t when;  /* 0: nothing is known */
	struct finding finding;
};

struct judges {
	struct engine *engine;
	size_t waiting, busy;
	struct targets targets;
	char ehlo[STS_NAME_SIZE];
	struct known known[JUDGE_MEMO];
};

/* --- What is known ------------------------------------------------------- */

static uint64_t
hash_of(const char *host, const struct sts_addr *addr)
{
	char text[STS_ADDR_TEXT];

	return sts_hash_more(sts_hash(str_of(host)),
	    str_of(sts_addr_text(addr, text)));
}

static struct known *
known_of(struct judges *j, const char *host, const struct sts_addr *addr)
{
	return &j->known[hash_of(host, addr) % JUDGE_MEMO];
}

/* Of one that failed the reason is wanted, not that of an hour ago. */
static bool
still_known(const struct known *k, uint64_t hash, enum sts_session_result r)
{
	bool found = k->finding.end == STS_REPLY_COMPLETE ||
	    k->finding.end == STS_REPLY_CERT;

	return k->when != 0 && k->hash == hash &&
	    sts_within(time(NULL), k->when,
		found && r == STS_SESSION_OK ? JUDGE_SPAN : JUDGE_SOON);
}

static void
record(struct judges *j, struct sts_session *s, const struct finding *f)
{
	if (verdict(s, f))
		(void)sts_spool_add(j->engine->spool, s, s->time, NULL);
}

/* --- Asking -------------------------------------------------------------- */

static void start(struct judges *);

static void
end(struct target *t, const struct finding *f)
{
	struct judges *j = t->judges;
	struct sts_session s;
	struct wait *w;

	while ((w = STAILQ_FIRST(&t->waits)) != NULL) {
		STAILQ_REMOVE_HEAD(&t->waits, next);
		j->waiting--;
		if (sts_session_decode(&s, w->line, w->len))
			record(j, &s, f);
		free(w);
	}
	TAILQ_REMOVE(&j->targets, t, next);
	free(t);
}

static void
found(void *arg, const struct sts_reply *reply)
{
	struct target *t = arg;
	struct judges *j = t->judges;
	struct known *k = known_of(j, t->host, &t->addr);

	*k = (struct known){ .hash = hash_of(t->host, &t->addr),
		.when = time(NULL),
		.finding = { .end = reply->end, .cert = reply->cert } };
	snprintf(k->finding.why, sizeof k->finding.why, "%s", reply->why);
	j->busy--;
	end(t, &k->finding);
	start(j);
}

/* Strangers choose the addresses of their hosts: not us. */
static bool
ask(struct target *t)
{
	struct engine *en = t->judges->engine;
	struct sts_err err;

	if (sts_addr_in(&t->addr, en->conf->deny, en->conf->ndeny))
		return false;
	if (en->http == NULL &&
	    (en->http = http_new(en->base, en->conf, &err)) == NULL)
		return false;
	t->asked = true;
	return http_starttls(en->http, t->host, &t->addr, t->judges->ehlo,
	    JUDGE_MS, found, t);
}

static void
start(struct judges *j)
{
	static const struct finding nothing = { .end = STS_REPLY_LOCAL };
	struct target *t, *next;

	for (t = TAILQ_FIRST(&j->targets); t != NULL && j->busy < JUDGE_AT_ONCE;
	     t = next) {
		next = TAILQ_NEXT(t, next);
		if (t->asked)
			continue;
		if (ask(t))
			j->busy++;
		else
			end(t, &nothing);
	}
}

/* --- Sessions ------------------------------------------------------------ */

static struct target *
target_for(struct judges *j, const char *host, const struct sts_addr *addr)
{
	uint64_t h = hash_of(host, addr);
	struct target *t;

	TAILQ_FOREACH(t, &j->targets, next)
	if (hash_of(t->host, &t->addr) == h && strcmp(t->host, host) == 0)
		return t;
	if ((t = calloc(1, sizeof *t)) == NULL)
		return NULL;
	t->judges = j;
	t->addr = *addr;
	snprintf(t->host, sizeof t->host, "%s", host);
	STAILQ_INIT(&t->waits);
	TAILQ_INSERT_TAIL(&j->targets, t, next);
	return t;
}

/* False: no room; it is as if nobody had been there to be asked. */
static bool
wait_for(struct judges *j, const struct sts_session *s, const char *host,
    const struct sts_addr *addr)
{
	char line[STS_SESSION_LINE_MAX];
	size_t len = sts_session_encode(line, s);
	struct target *t;
	struct wait *w;

	if (len == 0 || j->waiting >= JUDGE_WAIT ||
	    (w = malloc(sizeof *w + len)) == NULL)
		return false;
	if ((t = target_for(j, host, addr)) == NULL) {
		free(w);
		return false;
	}
	w->len = len - 1; /* without its newline */
	memcpy(w->line, line, len);
	STAILQ_INSERT_TAIL(&t->waits, w, next);
	j->waiting++;
	return true;
}

static bool
take_host(char host[STS_NAME_SIZE], struct sts_str s)
{
	char name[STS_NAME_SIZE];

	if (s.len == 0 || s.len >= sizeof name ||
	    memchr(s.p, '\0', s.len) != NULL)
		return false;
	memcpy(name, s.p, s.len);
	name[s.len] = '\0';
	return sts_domain_normal(host, name, NULL) == STS_OK;
}

void
judges_add(struct judges *j, char *line, size_t len)
{
	static const struct finding nothing = { .end = STS_REPLY_LOCAL };
	char host[STS_NAME_SIZE];
	struct sts_session s;
	struct sts_addr addr;
	struct known *k;

	if (!sts_session_decode(&s, line, len) ||
	    (s.result != STS_SESSION_OK && s.result != STS_VALIDATION_FAILURE))
		return;
	if (!take_host(host, s.mx_host) ||
	    !sts_addr_parse(&addr, s.receiving_ip)) {
		record(j, &s, &nothing);
		return;
	}
	k = known_of(j, host, &addr);
	if (still_known(k, hash_of(host, &addr), s.result))
		record(j, &s, &k->finding);
	else if (wait_for(j, &s, host, &addr))
		start(j);
	else
		record(j, &s, &nothing);
}

struct judges *
judges_new(struct engine *en)
{
	struct judges *j = calloc(1, sizeof *j);
	char name[STS_NAME_SIZE];

	if (j == NULL)
		return NULL;
	j->engine = en;
	TAILQ_INIT(&j->targets);
	if (gethostname(name, sizeof name) != 0)
		name[0] = '\0';
	name[sizeof name - 1] = '\0';
	if (sts_domain_normal(j->ehlo, name, NULL) != STS_OK)
		snprintf(j->ehlo, sizeof j->ehlo, "localhost");
	return j;
}

void
judges_free(struct judges *j)
{
	static const struct finding nothing = { .end = STS_REPLY_LOCAL };

	if (j == NULL)
		return;
	while (!TAILQ_EMPTY(&j->targets))
		end(TAILQ_FIRST(&j->targets), &nothing);
	free(j);
}
