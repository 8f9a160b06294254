/* SPDX-License-Identifier: ISC */
#include "host_list.h"

#include <regex.h>

#include "must.h"

/*
 * ${extract{KEY}{TEXT}} of Exim: KEY=VALUE, blanks between, a value in double
 * quotes with one level of backslashes.  NULL: no such key.
 */
static char *
extract(const char *text, const char *key)
{
	static char value[1 << 20];
	size_t n, len = strlen(key);
	bool ours;

	while (*text != '\0') {
		ours = strncmp(text, key, len) == 0 && text[len] == '=';
		MUST((text = strchr(text, '=')) != NULL);
		n = 0;
		if (*++text == '"') {
			for (text++; *text != '"'; text++) {
				text += *text == '\\';
				MUST(*text != '\0' && n < sizeof value - 1);
				value[n++] = *text;
			}
			text++;
		} else
			while (*text != ' ' && *text != '\0')
				value[n++] = *text++;
		value[n] = '\0';
		if (ours)
			return value;
		MUST(*text == '\0' || *text == ' ');
		text += *text == ' ';
	}
	return NULL;
}

/* Is the host left out?  One bad regular expression would end the delivery. */
static bool
ignored(const char *list, const char *host)
{
	static const char frame[] = "! ^(?i)";
	char item[4 * STS_NAME_SIZE];
	const char *end;
	bool found = false;
	regex_t re;

	for (; strcmp(list, "*") != 0; list = end + strlen(" : ")) {
		MUST(strncmp(list, frame, strlen(frame)) == 0);
		MUST((end = strstr(list, " : ")) != NULL);
		/* POSIX has no (?i) */
		snprintf(item, sizeof item, "^%.*s",
		    (int)(end - list - (long)strlen(frame)),
		    list + strlen(frame));
		MUST(strpbrk(item, " :!\"(){}?*|") == NULL);
		MUST(regcomp(&re, item, REG_EXTENDED | REG_ICASE | REG_NOSUB) ==
		    0);
		found |= regexec(&re, host, 0, NULL, 0) == 0;
		regfree(&re);
	}
	return !found;
}

/* For one pattern: a host that it names, and hosts a byte away from that. */
static void
around(const char *list, const struct sts_policy *p, const char *pattern)
{
	char host[STS_NAME_SIZE + 8];
	size_t dot;

	snprintf(host, sizeof host, "%s%s", *pattern == '*' ? "Mx_-1" : "",
	    pattern + (*pattern == '*'));
	MUST(ignored(list, host) != sts_policy_permits(p, host));
	dot = strcspn(host, ".");
	for (size_t at = 0; at <= dot && host[at] != '\0'; at += dot + !dot) {
		char was = host[at];

		host[at] = at == dot ? '-' : 'x';
		MUST(ignored(list, host) != sts_policy_permits(p, host));
		host[at] = was;
	}
	/* "*" is one label, RFC 8461 4.1 */
	snprintf(host, sizeof host, "a.%s%s", *pattern == '*' ? "b" : "",
	    pattern + (*pattern == '*'));
	if (strlen(host) < STS_NAME_SIZE)
		MUST(ignored(list, host) != sts_policy_permits(p, host));
}

/* First byte: how the answer stands; the rest a policy, and a reason. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct sts_answer a = { .verdict = STS_POLICY, .id = "20241" };
	struct sts_policy *policy = NULL;
	char *text, *list;
	size_t why;

	if (len == 0)
		return 0;
	why = len - 1 < sizeof a.why ? len - 1 : sizeof a.why - 1;
	memcpy(a.why, data + 1, why);
	MUST((text = exim_wait(a.why)) != NULL);
	MUST(strcmp(extract(text, "sts"), "wait") == 0);
	MUST(extract(text, "ignore")[0] == '\0');
	MUST(strcmp(extract(text, "why"), a.why) == 0);
	free(text);

	if (sts_policy_parse(&policy, (const char *)data + 1, len - 1, NULL,
		NULL, NULL) != STS_OK)
		return 0;
	a.policy = policy;
	a.mode = sts_policy_mode(policy);
	a.unprotected = (data[0] & 1) != 0;
	MUST((text = exim_host_list(&a)) != NULL);
	MUST(strcmp(extract(text, "sts"), sts_mode_name(a.mode)) == 0);
	MUST(strcmp(extract(text, "id"), a.id) == 0);
	MUST((extract(text, "why") != NULL) == a.unprotected);
	list = extract(text, "ignore");
	if (a.mode != STS_MODE_ENFORCE)
		MUST(list[0] == '\0');
	for (size_t i = 0; a.mode == STS_MODE_ENFORCE && i < 16 &&
	     i < sts_policy_mx_count(policy);
	     i++)
		around(list, policy, sts_policy_mx(policy, i));
	free(text);
	sts_policy_free(policy);
	return 0;
}
