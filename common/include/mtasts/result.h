/* SPDX-License-Identifier: ISC */
/* How a call went, and bytes that somebody else chose. */
#ifndef MTASTS_RESULT_H
#define MTASTS_RESULT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* How a call went; what a domain says is another matter (sts_verdict). */
enum sts_rc {
	STS_OK = 0,   /* the call did what its name says */
	STS_ABSENT,   /* asked, and there is none */
	STS_TEMPFAIL, /* could not ask: timeout, SERVFAIL */
	STS_INVALID,  /* what was judged breaks its rules */
	STS_LOCAL,    /* this host's fault: cache, configuration, worker */
	STS_NOMEM,
	STS_USAGE /* the caller broke the contract of this header */
};

/* Why a call did not return STS_OK.  The caller's, never allocated. */
struct sts_err {
	enum sts_rc rc;
	unsigned line;  /* of the text that was judged; 0: means nothing */
	char text[240]; /* one line, printable ASCII, fit for a mail log */
};

/* Bytes from outside: borrowed, not terminated, may hold NUL. */
struct sts_str {
	const char *p;
	size_t len;
};

/* One remark about a text under judgement; lent for the call. */
struct sts_problem {
	bool fatal; /* false: accepted all the same */
	unsigned line;
	const char *code; /* stable, for programs: "mx-syntax" */
	const char *text; /* one line, printable ASCII */
};
typedef void sts_problem_fn(void *arg, const struct sts_problem *);

const char *sts_rc_name(enum sts_rc);

/*
 * Foreign bytes as printable ASCII: "\\" for a backslash, "\x0a" for what
 * cannot be printed, "..." at the end where it had to be cut.  Writes at most
 * size bytes with the NUL (size 0: nothing) and returns out.
 */
const char *sts_escape(char *out, size_t size, struct sts_str in);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
