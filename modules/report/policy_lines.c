/* SPDX-License-Identifier: ISC */
#include "policy_lines.h"

#include <stdlib.h>
#include <string.h>

#include "base/scan.h"
#include "base/utf8.h"

struct policy_lines {
	struct sts_store *cache;
	char domain[STS_NAME_SIZE]; /* what was looked for last */
	char id[STS_ID_SIZE];
	struct sts_loaded loaded;
	struct sts_policy *policy;
	char *lines; /* NULL: there is no such policy */
};

struct policy_lines *
policy_lines_new(struct sts_store *cache)
{
	struct policy_lines *l = calloc(1, sizeof *l);

	if (l != NULL)
		l->cache = cache;
	return l;
}

static void
clear(struct policy_lines *l)
{
	sts_policy_free(l->policy);
	free(l->lines);
	l->policy = NULL;
	l->lines = NULL;
}

void
policy_lines_free(struct policy_lines *l)
{
	if (l == NULL)
		return;
	clear(l);
	sts_loaded_clear(&l->loaded);
	free(l);
}

/* Unicode 23.7: U+FDD0 to U+FDEF, and the last two of each plane. */
static bool
is_noncharacter(const char *p)
{
	const unsigned char *c = (const unsigned char *)p;

	if (c[0] == 0xef && c[1] == 0xb7)
		return c[2] >= 0x90 && c[2] <= 0xaf;
	if (c[0] == 0xef && c[1] == 0xbf)
		return c[2] >= 0xbe;
	return c[0] >= 0xf0 && (c[1] & 15) == 15 && c[2] == 0xbf &&
	    c[3] >= 0xbe;
}

/*
 * UTF-8 without NUL, for the lines become C strings; and without noncharacters,
 * for a report is I-JSON, RFC 7493 2.1.
 */
static bool
is_text(struct sts_str line)
{
	struct scan s = scan_str(line);

	for (const char *p; (p = s.p) < s.end;) {
		if (*p > 0 && (unsigned char)*p < 0x80)
			s.p++;
		else if (!scan_utf8(&s) || is_noncharacter(p))
			return false;
	}
	return true;
}

static const char odd[] = "(not UTF-8)";

/* RFC 8460 4.5: one string for each line of the policy, in its order. */
char *
policy_lines_split(struct sts_str text)
{
	struct scan s = scan_str(text);
	struct sts_str line;
	/* At worst each line is a byte that becomes the text of odd. */
	char *all = malloc(text.len * sizeof odd + 2), *to = all;
	bool more = all != NULL;

	while (more) {
		if ((more = scan_until(&s, '\n', &line)))
			s.p++;
		else
			line = scan_rest(&s);
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		if (!is_text(line))
			line = str_of(odd);
		if (line.len == 0)
			continue;
		memcpy(to, line.p, line.len);
		to += line.len;
		*to++ = '\0';
	}
	if (all != NULL)
		*to = '\0';
	return all;
}

static void
load_policy(struct policy_lines *l)
{
	const struct sts_entry *e = &l->loaded.entry;

	clear(l);
	if (sts_store_get_replaced(l->cache, l->domain, l->id, &l->loaded,
		NULL) != STS_OK ||
	    e->kind != STS_ENTRY_POLICY || strcmp(e->id, l->id) != 0)
		return;
	l->lines = policy_lines_split(e->body);
	if (sts_policy_parse(&l->policy, e->body.p, e->body.len, NULL, NULL,
		NULL) != STS_OK)
		l->policy = NULL;
}

void
policy_lines_find(struct policy_lines *l, const char *domain, struct sts_str id,
    const char **lines, const struct sts_policy **policy)
{
	*lines = "";
	*policy = NULL;
	if (id.len == 0 || id.len >= sizeof l->id)
		return;
	if (strcmp(l->domain, domain) != 0 || !str_is(id, l->id)) {
		memcpy(l->domain, domain, strlen(domain) + 1);
		memcpy(l->id, id.p, id.len);
		l->id[id.len] = '\0';
		load_policy(l);
	}
	if (l->lines != NULL) {
		*lines = l->lines;
		*policy = l->policy;
	}
}
