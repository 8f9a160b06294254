/* SPDX-License-Identifier: ISC */
/*
 * What an adapter and a worker say to each other: lines on a socket, which is
 * the worker's standard input and output.  Pure.
 *
 *   adapter  = version *( ask / refresh / session )
 *   ask      = "ask" SP domain *( SP wish ) LF
 *   wish     = "fresh" / "refetch" / "renew" / "mx"
 *   refresh  = "refresh" SP domain [ SP "mx" ] LF    nobody waits for it
 *   session  = "session" SP line                     of tlsrpt/session_line.h
 *
 *   worker   = version *answer [ fault ]
 *   answer   = "done" SP domain SP use SP length SP sentence LF entry
 *   use      = "none" / "policy" / "remote" / "not-yet" / "local"
 *   fault    = "fault" SP sentence LF                and the worker ends
 *
 *   version  = "mtasts-worker1" LF
 *
 * A domain is in sts_domain_normal() form.  The entry is as many bytes as
 * length says, in either form of entry.h; 0: there is none.  What does not
 * follow this grammar is not believed, nor is anything after it.
 */
#ifndef STS_QUERY_WORKER_PROTOCOL_H
#define STS_QUERY_WORKER_PROTOCOL_H

#include "rules/decide.h"
#include "rules/entry.h"

#define STS_WORKER_VERSION "mtasts-worker1\n"

/* --- What is asked ---------------------------------------------------------
 */

enum sts_question_kind {
	STS_QUESTION_ASK,
	STS_QUESTION_REFRESH, /* no answer is wanted */
	STS_QUESTION_SESSION
};

/* Beside STS_FRESH and STS_REFETCH: the MX set, too; the daily GET, if due. */
enum { STS_QUESTION_MX = 1 << 8, STS_QUESTION_RENEW = 1 << 9 };

struct sts_question {
	enum sts_question_kind kind;
	char domain[STS_NAME_SIZE]; /* of ASK and REFRESH */
	unsigned flags;
	struct sts_str session; /* lent: what follows the word */
};

/* Sessions come without certificates, so they are short. */
enum { STS_QUESTION_MAX = 4096 };

/* line: without LF.  False: not of the grammar. */
bool sts_question_decode(struct sts_question *, struct sts_str line);

/* ASK or REFRESH as a line with LF; returns its length. */
size_t sts_question_encode(char buf[STS_QUESTION_MAX],
    const struct sts_question *);

/* --- What is answered ------------------------------------------------------
 */

struct sts_worker_answer {
	char domain[STS_NAME_SIZE];
	enum sts_use use;
	char sentence[STS_NOTE_SIZE]; /* printable ASCII; may be "" */
	struct sts_str entry; /* points into the reader; len 0: there is none */
};

enum {
	STS_ANSWER_HEAD_MAX = 1024,
	STS_ANSWER_MAX = STS_ANSWER_HEAD_MAX + STS_ENTRY_MAX
};

/* The line of an answer, before its entry; returns its length. */
size_t sts_answer_encode(char buf[STS_ANSWER_HEAD_MAX], const char *domain,
    enum sts_use, size_t entry_len, const char *sentence);
size_t sts_fault_encode(char buf[STS_ANSWER_HEAD_MAX], const char *sentence);

struct sts_worker_reader {
	bool greeted; /* the version has come: it runs, and is one of ours */
	bool ended;   /* nothing more is believed: fault */
	char fault[STS_NOTE_SIZE]; /* printable ASCII; "": none */
	size_t used, taken;
	char buf[STS_ANSWER_MAX];
};

void sts_worker_reader_init(struct sts_worker_reader *);

/* Where the next bytes go; with room until a whole answer is there. */
char *sts_worker_reader_room(struct sts_worker_reader *, size_t *room);
void sts_worker_reader_add(struct sts_worker_reader *, size_t n);

/*
 * The next answer; its entry is lent until the next call.  False: more bytes
 * are needed, or the reader has ended.
 */
bool sts_worker_reader_next(struct sts_worker_reader *,
    struct sts_worker_answer *);

#endif
