/* SPDX-License-Identifier: ISC */
/*
 * The policy's mx patterns as an Exim host list (RFC 8461 4.1):
 *
 *   ! ^(?i)mx\.example\.com$ : ! ^(?i)[a-z0-9_-]+\.example\.net$ : *
 *
 * "not one of these, then everything".  Exact names are regular expressions
 * too, for Exim resolves a bare name and compares addresses.  One bad regular
 * expression ends the whole delivery process, so each is a fixed frame around
 * bytes of [a-z0-9.-] with the dots escaped; ${extract} takes one level of
 * backslashes away, so they stand doubled.
 */
#include "host_list.h"

#include <stdlib.h>
#include <string.h>

#define BEFORE "! ^(?i)"
#define ONE_LABEL "[a-z0-9_-]+" /* 4.1: "*" is exactly one label */
#define AFTER "$ : "

static bool
plain(const char *name)
{
	for (; *name != '\0'; name++)
		if ((*name < 'a' || *name > 'z') &&
		    (*name < '0' || *name > '9') && *name != '.' &&
		    *name != '-')
			return false;
	return true;
}

/* Room for one pattern: each byte may become "\\." */
static size_t
room_for(const char *pattern)
{
	return sizeof BEFORE ONE_LABEL AFTER + 3 * strlen(pattern);
}

static char *
put(char *p, const char *s)
{
	size_t len = strlen(s);

	memcpy(p, s, len);
	return p + len;
}

static char *
put_pattern(char *p, const char *pattern)
{
	const char *name = pattern;
	char *start = p;

	p = put(p, BEFORE);
	if (strncmp(name, "*.", 2) == 0) {
		p = put(p, ONE_LABEL);
		name++;
	}
	/* What cannot match must not turn into a pattern that can. */
	if (!sts_mx_usable(pattern) || !plain(name))
		return start;
	for (; *name != '\0'; name++) {
		if (*name == '.')
			p = put(p, "\\\\");
		*p++ = *name;
	}
	return put(p, AFTER);
}

static char *
put_list(char *p, const struct sts_policy *pol)
{
	for (size_t i = 0; i < sts_policy_mx_count(pol); i++)
		p = put_pattern(p, sts_policy_mx(pol, i));
	return put(p, "*");
}

/* As ${extract} takes it apart: two bytes for each at most. */
static char *
put_quoted(char *p, const char *s)
{
	*p++ = '"';
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			*p++ = '\\';
		*p++ = *s;
	}
	return put(p, "\"");
}

char *
exim_wait(const char *why)
{
	static const char begin[] = "sts=wait ignore=\"\" why=";
	char *text = malloc(sizeof begin + 2 * strlen(why) + 2);

	if (text != NULL)
		put_quoted(put(text, begin), why)[0] = '\0';
	return text;
}

char *
exim_host_list(const struct sts_answer *a)
{
	bool enforce = a->verdict == STS_POLICY && a->mode == STS_MODE_ENFORCE;
	size_t size = 128;
	char *text, *p;

	if (a->verdict == STS_MUST_WAIT)
		return exim_wait(a->why);
	if (a->unprotected)
		size += 2 * strlen(a->why);
	for (size_t i = 0; enforce && i < sts_policy_mx_count(a->policy); i++)
		size += room_for(sts_policy_mx(a->policy, i));
	if ((text = malloc(size)) == NULL)
		return NULL;
	p = put(put(text, "sts="), sts_mode_name(a->mode));
	if (a->id[0] != '\0')
		p = put(put(p, " id="), a->id);
	p = put(p, " ignore=\"");
	if (enforce)
		p = put_list(p, a->policy);
	p = put(p, "\"");
	if (a->unprotected)
		p = put_quoted(put(p, " why="), a->why);
	*p = '\0';
	return text;
}
