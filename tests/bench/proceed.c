/* SPDX-License-Identifier: ISC */
/*
 * A filter for smtpd that lets every recipient pass and knows nothing else: the
 * least that a filter on rcpt-to can cost.
 */
#include <stdio.h>
#include <string.h>

enum { SESSION = 5, TOKEN = 6 };

/* The fields of "filter|0.7|TIME|smtp-in|rcpt-to|SESSION|TOKEN|ADDRESS". */
static void
answer(char *line)
{
	char *field[TOKEN + 1] = { 0 };
	int n = 0;

	while (n <= TOKEN && (field[n] = strsep(&line, "|")) != NULL)
		n++;
	if (n > TOKEN && strcmp(field[0], "filter") == 0)
		printf("filter-result|%s|%s|proceed\n", field[SESSION],
		    field[TOKEN]);
}

int
main(void)
{
	char line[4096];
	int in = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof line, stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		in |= strcmp(line, "config|subsystem|smtp-in") == 0;
		if (strcmp(line, "config|ready") == 0) {
			if (in)
				puts("register|filter|smtp-in|rcpt-to");
			else
				puts("register|report|smtp-out|link-connect");
			puts("register|ready");
		} else
			answer(line);
	}
	return 0;
}
