/* SPDX-License-Identifier: ISC */
/* Another program's use of the shared library: its header and nothing else. */
#include <stdio.h>
#include <string.h>

#include <mtasts/sts.h>

int
main(void)
{
	static const char body[] = "version: STSv1\nmode: enforce\n"
				   "mx: *.example.com\nmax_age: 86400\n";
	struct sts_policy *pol;
	struct sts_err err;
	bool good;

	if (sts_policy_parse(&pol, body, sizeof body - 1, NULL, NULL, &err) !=
	    STS_OK) {
		printf("not ok - %s\n", err.text);
		return 1;
	}
	good = sts_policy_mode(pol) == STS_MODE_ENFORCE &&
	    sts_mx_match("mx1.example.com.", sts_policy_mx(pol, 0)) &&
	    !sts_mx_match("a.b.example.com", sts_policy_mx(pol, 0)) &&
	    strlen(sts_version()) > 0;
	sts_policy_free(pol);
	printf("%s - libmtasts %s\n", good ? "ok" : "not ok", sts_version());
	return !good;
}
