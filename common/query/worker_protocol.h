/* SPDX-License-Identifier: ISC */
/*
 * How a worker answers.  Pure.  The one that is started for a domain does so
 * over a pipe: first bytes that say how far it is, then frames, the last of
 * which is the answer.
 *
 *   answer = *stage [note] frame
 *   frame  = type length bytes      length = 8 hexadecimal digits
 *
 * A kept worker writes "DOMAIN KIND MODE ID EXPIRES WHY" for each domain that
 * is done, and "! WHY" before it gives up.
 */
#ifndef STS_QUERY_WORKER_PROTOCOL_H
#define STS_QUERY_WORKER_PROTOCOL_H

#include "rules/entry.h"
#include <mtasts/sts.h>

enum { STS_PIPE_FD = 3, STS_FRAME_HEAD = 9 };

/* How far it is; that it ever started is what counts at the deadline. */
enum sts_stage {
	STS_STAGE_NONE = 0,      /* it never ran: our own fault */
	STS_STAGE_STARTED = 's', /* running; waits half its time for the lock */
	STS_STAGE_DNS = 'd',     /* asked for the TXT record: DNS trouble */
	STS_STAGE_FOUND = 't',   /* a TXT record is there */
	STS_STAGE_GET = 'g',     /* and the policy is not to be had in time */
	STS_STAGE_STORE = 'k'    /* all is known, our own disk is slow */
};

enum sts_frame {
	STS_FRAME_FILE = 'F',  /* an entry in the form of a file */
	STS_FRAME_LINK = 'L',  /* an entry in the form of a link */
	STS_FRAME_FAULT = '!', /* one line: what is wrong on this host */
	STS_FRAME_NOTE = '#'   /* one line: details for people; more follows */
};

/* To a kept worker, before a line of session_line.h: to be judged and recorded.
 */
#define STS_KEPT_WORKER_JUDGE "="

enum { STS_FRAME_MAX = STS_FRAME_HEAD + STS_ENTRY_MAX };

struct sts_worker_answer {
	enum sts_stage stage;
	enum sts_frame frame; /* 0: no whole frame */
	struct sts_str bytes; /* of the frame; points into buf */
	bool ended;           /* the worker closed the pipe, or sent garbage */
	char note[200];       /* printable ASCII */
	size_t used;
	char buf[STS_FRAME_MAX];
};

/* Take bytes as they came; true once there is a whole frame (pure). */
bool sts_worker_answer_add(struct sts_worker_answer *, size_t n);

/* --- A kept worker, on its standard output -------------------------------- */

enum { STS_WORKER_LINES_SIZE = 4096 };

struct sts_worker_lines {
	size_t used, taken;
	bool skip;       /* the rest of a line that was too long */
	char fault[160]; /* printable ASCII; "": none */
	char why[160]; /* what the last line says beyond its fields; likewise */
	char buf[STS_WORKER_LINES_SIZE];
};

/* Where the next bytes go; never without room. */
char *sts_worker_lines_room(struct sts_worker_lines *, size_t *room);
void sts_worker_lines_add(struct sts_worker_lines *, size_t n);

/* The next domain that is done; false: more bytes are needed. */
bool sts_worker_lines_next(struct sts_worker_lines *,
    char domain[STS_NAME_SIZE]);

#endif
