/* SPDX-License-Identifier: ISC */
#include <strings.h>

#include "base/domain_name.h"
#include "must.h"

/* A host, a newline, a pattern. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *host = malloc(len + 1), *pattern, *tail;
	char out[STS_NAME_SIZE], again[STS_NAME_SIZE];
	enum sts_rc rc;

	if (host == NULL)
		return 0;
	memcpy(host, data, len);
	host[len] = '\0';
	pattern = strchr(host, '\n');
	pattern = pattern == NULL ? host + len : pattern + 1;
	if (pattern[-(pattern > host)] == '\n')
		pattern[-1] = '\0';

	rc = sts_domain_normal(out, host, NULL);
	MUST(rc == STS_OK || rc == STS_ABSENT || rc == STS_INVALID);
	MUST((rc == STS_OK) == (out[0] != '\0'));
	if (rc == STS_OK) {
		MUST(strlen(out) <= STS_POLICY_DOMAIN_MAX);
		MUST(sts_name_valid(str_of(out)) && strcasestr(host, out));
		MUST(sts_domain_normal(again, out, NULL) == STS_OK);
		MUST(strcmp(again, out) == 0);
		MUST(sts_mx_match(out, out));
	}
	if (sts_mx_match(host, pattern)) {
		MUST(sts_mx_valid(pattern, strlen(pattern)));
		MUST(sts_mx_usable(pattern));
		if (host[strlen(host) - 1] == '.')
			host[strlen(host) - 1] = '\0';
		MUST(sts_host_normal(out, str_of(host)));
		tail = strchr(host, '.');
		MUST(pattern[0] == '*'
			? tail != NULL && strcasecmp(tail, pattern + 1) == 0
			: strcasecmp(host, pattern) == 0);
	}
	free(host);
	return 0;
}
