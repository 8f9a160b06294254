/* SPDX-License-Identifier: ISC */
/* What the commands of mtasts(1) share. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include <mtasts/sts.h>

/* The exit status; of several domains the highest counts. */
enum cli_exit {
	CLI_OK,    /* a policy is in force; valid; it matches */
	CLI_NO,    /* none, cannot tell; not valid; no match */
	CLI_USAGE, /* the command line or its input makes no sense */
	CLI_FAULT  /* this host: files, configuration, output */
};

enum cli_opt {
	CLI_JSON = 1 << 0,
	CLI_FRESH = 1 << 1,
	CLI_EXPIRED = 1 << 2,
	CLI_ALL = 1 << 3,
	CLI_OWN = 1 << 4 /* the command reads its words itself */
};

struct cli;

struct cli_cmd {
	const char *group, *name; /* "cache" "list"; name "" if one word */
	const char *args;         /* for the usage line */
	const char *about;
	unsigned opts; /* of enum cli_opt */
	int (*run)(struct cli *, int argc, char **argv);
};

struct cli {
	const struct cli_cmd *cmd;
	const char *conf; /* NULL: the default file */
	unsigned opts;
	int lost;      /* errno of the first write that failed */
	bool colour;   /* stdout is a terminal that has it */
	bool aligned;  /* stdout is a terminal */
	bool progress; /* stderr is a terminal */
};

int cli_query(struct cli *, int argc, char **argv);
int cli_cache_list(struct cli *, int argc, char **argv);
int cli_cache_show(struct cli *, int argc, char **argv);
int cli_cache_purge(struct cli *, int argc, char **argv);
int cli_cache_refresh(struct cli *, int argc, char **argv);
int cli_refresh(struct cli *, int argc, char **argv);
int cli_exim_failed(struct cli *, int argc, char **argv);
int cli_exim_policy(struct cli *, int argc, char **argv);
int cli_report(struct cli *, int argc, char **argv);
int cli_lint_policy(struct cli *, int argc, char **argv);
int cli_lint_txt(struct cli *, int argc, char **argv);
int cli_lint_tlsrpt(struct cli *, int argc, char **argv);
int cli_lint_mx(struct cli *, int argc, char **argv);
int cli_lint_config(struct cli *, int argc, char **argv);

/* --- output.c: nothing from outside reaches a terminal unescaped --------- */

enum cli_tint { CLI_PLAIN, CLI_BOLD, CLI_GREEN, CLI_YELLOW, CLI_RED };

/* Unambiguous: bytes that are not printable ASCII, and the backslash. */
void cli_escape(FILE *, const char *p, size_t len);
/* The same for a whole argument; valid until four calls later. */
const char *cli_shown(const char *arg);
void cli_tinted(const struct cli *, enum cli_tint, const char *text);
void cli_field(const struct cli *, const char *key, const char *value);
void cli_field_time(const struct cli *, const char *key, int64_t t);

enum { CLI_TIME_SIZE = 32 };
/* RFC 3339 in UTC; NULL where t is 0 or no date. */
const char *cli_time(char out[CLI_TIME_SIZE], int64_t t);

json_t *cli_json_text(const char *text); /* NULL and "" become null */
json_t *cli_json_time(int64_t t);
json_t *cli_json_bytes(struct sts_str);
/* Print as one line and release; NULL: out of memory. */
int cli_json_line(json_t *, int rc);

/* Is stdout still good?  Keeps why it is not. */
bool cli_flush(struct cli *);

/* What --help says of one command. */
void cli_help(const struct cli_cmd *);

/* "mtasts: ..." on stderr; they return the exit status. */
__attribute__((format(printf, 1, 2))) int cli_fault(const char *fmt, ...);
__attribute__((format(printf, 2, 3))) int cli_usage(const struct cli_cmd *,
    const char *fmt, ...);

/* --- print_answer.c: one answer, for people and for programs ----------------
 */

const char *cli_verdict_name(enum sts_verdict);
int cli_verdict_exit(enum sts_verdict);
/* The published mode where there is a policy, else what is applied. */
const char *cli_answer_mode(const struct sts_answer *); /* NULL: none */
json_t *cli_answer_mx(const struct sts_policy *);
json_t *cli_answer_json(const char *domain, const struct sts_answer *);
/* What is known; and with where it is from and why. */
void cli_entry_print(const struct cli *, const struct sts_answer *);
void cli_answer_print(const struct cli *, const struct sts_answer *);

/* Is the way to policy hosts blocked?  A line of its own, or nothing. */
void cli_outbound_print(const struct cli *, struct sts_ctx *);
/* Adds "outbound_443_blocked"; consumes the object where it fails. */
json_t *cli_outbound_json(json_t *object, struct sts_ctx *);

/* --- print_mx_set.c: the MX set of a domain in the cache
 * -------------------------- */

bool cli_mx_any(struct sts_ctx *, const char *domain);
/* Nothing where there is none. */
void cli_mx_print(const struct cli *, struct sts_ctx *, const char *domain);
/* Adds "mx_set"; consumes the object where it fails. */
json_t *cli_mx_json(json_t *object, struct sts_ctx *, const char *domain);

/* --- idn_names.c: a domain as it was typed ---------------------------------
 */

struct cli_name {
	const char *ascii; /* what is asked for */
	char *alabel;      /* allocated, or NULL */
	char *ulabel;      /* allocated; NULL unless U-labels were typed */
};

/* False: makes no sense, err says why. */
bool cli_name_take(struct cli_name *, const char *arg, struct sts_err *err);
void cli_name_free(struct cli_name *);
json_t *cli_name_json(const struct cli_name *, json_t *object);
void cli_name_print(const struct cli *, const struct cli_name *);

/* --- cmd_lint.c ----------------------------------------------------------- */

/*
 * Read at most max bytes of a file, "-" being stdin.  *out is the caller's.
 * More than max: *len is max + 1.  False: errno says why.
 */
bool cli_read(char **out, size_t *len, const char *path, size_t max);

/* --- cmd_refresh.c ---------------------------------------------------------
 */

/* err->rc stays STS_OK unless the library complained. */
int cli_refresh_one(const struct cli *, struct sts_ctx *,
    const struct cli_name *, struct sts_err *err);

/* Once a second at most: so many are done.  n == of: the line goes. */
void cli_progress_count(const struct cli *, size_t n, size_t of);

/* A status line on a terminal; output.c. */
struct cli_progress {
	int fd; /* closing it ends the drawing child; -1: there is none */
	long pid;
};

void cli_progress_start(struct cli_progress *, const struct cli *,
    const char *domain);
void cli_progress_stop(struct cli_progress *);

#endif
