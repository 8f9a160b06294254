/* SPDX-License-Identifier: ISC */
/* Remarks of the library about a text, as JSON list or line by line. */
#ifndef CLI_CMD_LINT_H
#define CLI_CMD_LINT_H

#include "cli.h"

struct remarks {
	const struct cli *cli;
	const char *file; /* shown before the line */
	json_t *list;     /* NULL without --json */
	bool lost;        /* out of memory */
	bool fatal;
};

bool remarks_init(struct remarks *, const struct cli *, const char *file);
void remarks_take(void *remarks, const struct sts_problem *);
/* A call that fails without a remark still owes a reason. */
void remarks_err(struct remarks *, const struct sts_err *, const char *code);
int remarks_lost(struct remarks *);
/* "FILE: valid", the line left open; the exit status. */
int remarks_verdict(const struct remarks *, bool good, const char *word);

#endif
