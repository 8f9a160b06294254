/* SPDX-License-Identifier: ISC */
/* A configuration while it is read: shared by its lines and its values. */
#ifndef STS_CONF_READER_H
#define STS_CONF_READER_H

#include "base/scan.h"
#include "conf.h"

struct sts_load {
	struct sts_conf *conf;
	const char *path;
	struct scan in; /* what inih has not read yet */
	unsigned line;  /* that inih reads now */
	bool skip;      /* the rest of a section that was refused */
	unsigned set;   /* keys that were set, by their place in the table */
	unsigned report_set; /* the same in [report] */
	bool report;         /* inside that section */
	unsigned sink_line;  /* where sink = tlsrpt is, and these two keys */
	unsigned contact_line, sender_line;
	unsigned domain_set; /* and in the domain's section in hand */
	char *text;          /* the file; what is kept of it, from the left */
	size_t used;
	size_t room; /* of conf->domain */
	sts_problem_fn *fn;
	void *arg;
	struct sts_err *err;
	enum sts_rc rc;
};

struct conf_all {
	struct sts_conf conf; /* first: what the caller sees */
	struct sts_domain_conf *domain;
	struct sts_net *deny; /* NULL: deny_networks has not been set */
	char sender[STS_NAME_SIZE + 16]; /* where it is the default */
	char *text;
};

/* Note a problem of the line in hand. */
__attribute__((cold, format(printf, 3, 4))) void
sts_conf_problem(struct sts_load *, const char *code, const char *fmt, ...);

/* A string that lives as long as the conf. */
const char *sts_conf_keep(struct sts_load *, struct sts_str);

/* Blank-separated words, one at a time. */
bool sts_conf_word(struct scan *, struct sts_str *word);

/*
 * A key, where its value goes (an offset), and what it may be; wants says that
 * to people.  Words are arrays: a pointer would be a relocation, 13 ns a load.
 */
struct sts_key {
	char name[16];
	enum {
		STS_KEY_OWN,     /* take */
		STS_KEY_BOOL,    /* yes, no */
		STS_KEY_PATH,    /* absolute */
		STS_KEY_SECONDS, /* min to max, with a unit: "15s", "1h" */
		STS_KEY_MS,      /* the same, kept as milliseconds */
		STS_KEY_MIB,     /* the same, "256M", kept as mebibytes */
		STS_KEY_CHOICE   /* one of the words; the first is 0 */
	} kind;
	unsigned at, min, max;
	bool (*take)(struct sts_load *, struct sts_str);
	char word[4][16];
	char wants[48];
	bool repeats; /* a list may need more than one line */
};

/* Find the key in the table; set has a bit for each one that was set. */
void sts_conf_take(struct sts_load *, void *into, const struct sts_key *,
    size_t n, unsigned *set, const char *name, struct sts_str value);

/* The section of a domain (in normal form), and a key of the last one. */
bool sts_conf_domain_add(struct sts_load *, const char *name);
void sts_conf_domain_key(struct sts_load *, const char *name,
    struct sts_str value);

/* A key before the first section; one of [report]. */
void sts_conf_key(struct sts_load *, const char *name, struct sts_str value);
void sts_conf_report_key(struct sts_load *, const char *name,
    struct sts_str value);
void sts_conf_report_defaults(struct sts_report_conf *);
/* After the last line: what one key wants of another. */
void sts_conf_report_end(struct sts_load *);

#endif
