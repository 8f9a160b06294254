/* SPDX-License-Identifier: ISC */
#include "handed.h"

#include <inttypes.h>
#include <stdio.h>

size_t
sts_handed_line(char out[STS_HANDED_LINE], int64_t when, const char *domain,
    const struct sts_mx_host *h)
{
	char text[STS_ADDR_TEXT];
	int n = snprintf(out, STS_HANDED_LINE, "%" PRId64 " %s %s", when,
	    domain, h->name);

	if (h->naddr == 0 || when < 0)
		return 0;
	for (size_t i = 0; i < h->naddr && i < STS_MX_ADDRS_MAX; i++)
		n += snprintf(out + n, STS_HANDED_LINE - (size_t)n, "%c%s",
		    i == 0 ? ' ' : ',', sts_addr_text(&h->addr[i], text));
	out[n++] = '\n';
	return (size_t)n;
}

/* A name is only what sts_domain_normal() leaves as it is. */
static bool
take_name(char out[STS_NAME_SIZE], struct sts_str word)
{
	char name[STS_NAME_SIZE];

	if (word.len == 0 || word.len >= sizeof name ||
	    memchr(word.p, '\0', word.len) != NULL)
		return false;
	memcpy(name, word.p, word.len);
	name[word.len] = '\0';
	return sts_domain_normal(out, name, NULL) == STS_OK &&
	    strcmp(out, name) == 0;
}

static bool
has(struct sts_str list, const char *address)
{
	struct scan s = scan_str(list);
	struct sts_str one;

	/* A line that a full disk has torn goes on with the next one. */
	if (list.len > 0 && memchr(list.p, ' ', list.len) != NULL)
		return false;
	while (scan_left(&s) > 0) {
		if (!scan_word(&s, ',', &one))
			one = scan_rest(&s);
		if (str_is(one, address))
			return true;
	}
	return false;
}

/* The address first: most lines are about others. */
static bool
take(struct sts_str line, const char *address, struct sts_handed *out)
{
	struct scan s = scan_str(line);
	struct sts_str when, domain, host;
	uint64_t ms;

	if (!scan_word(&s, ' ', &when) || !scan_word(&s, ' ', &domain) ||
	    !scan_word(&s, ' ', &host) || !has(scan_rest(&s), address) ||
	    !str_u64(when, INT64_MAX, &ms))
		return false;
	out->when = (int64_t)ms;
	return take_name(out->domain, domain) && take_name(out->host, host);
}

bool
sts_handed_next(struct scan *s, const char *address, struct sts_handed *out)
{
	struct sts_str line;

	while (scan_word(s, '\n', &line))
		if (take(line, address, out))
			return true;
	return false;
}
