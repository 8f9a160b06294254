/* SPDX-License-Identifier: ISC */
#include "rules/rua.h"

#include "must.h"

/*
 * What comes out can stand in a header field, on a command line and in the
 * hands of libcurl; and means the same when it is read again.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct rua r, again;
	char uri[3 * RUA_SIZE + 16];
	const char *at;
	bool good;
	size_t n;

	good = sts_rua_read(&r, (struct sts_str){ (const char *)data, len }) ==
	    NULL;
	MUST(good == (r.kind != RUA_USELESS));
	if (r.kind == RUA_MAIL) {
		at = strrchr(r.address, '@');
		MUST(at != NULL && at > r.address && at[1] != '\0');
		MUST(str_all(str_of(r.address), is_print));
		MUST(r.address[0] == '"' ||
		    strpbrk(r.address, " ,;<>()[]:\\\"") == NULL);
		n = (size_t)snprintf(uri, sizeof uri, "mailto:");
		for (const char *p = r.address; *p != '\0'; p++)
			n += (size_t)snprintf(uri + n, sizeof uri - n,
			    is_alnum(*p) || *p == '@' ? "%c" : "%%%02X", *p);
		MUST(sts_rua_read(&again, str_of(uri)) == NULL);
		MUST(sts_rua_same(&r, &again));
		MUST(strcmp(at + 1, r.host) == 0);
	}
	if (r.kind == RUA_HTTPS) {
		MUST(r.port != 0 && r.host[0] != '\0');
		MUST(str_all(str_of(r.host), is_ext_name));
		MUST(strchr(r.url, '#') == NULL);
		MUST(strncmp(strchr(r.url, ':'), "://", 3) == 0);
		sts_rua_read(&again, str_of(r.url));
		MUST(sts_rua_same(&r, &again));
	}
	MUST(r.kind != RUA_USELESS ||
	    (r.address[0] == '\0' && r.url[0] == '\0'));
	return 0;
}
