/* SPDX-License-Identifier: ISC */
/*
 * How a worker answers the adapter that started it: over a pipe, first bytes
 * that say how far it is, then frames, the last of which is the answer.
 *
 *   answer = *stage [note] frame
 *   frame  = type length bytes      length = 8 hexadecimal digits
 */
#ifndef STS_PIPE_H
#define STS_PIPE_H

#include "cache.h"

enum { STS_PIPE_FD = 3, STS_FRAME_HEAD = 9 };

/* At the adapter's deadline the last stage decides what is believed. */
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

/* To a kept worker, before a line of session.h: to be judged and recorded. */
#define STS_KEPT_JUDGE "="

enum { STS_FRAME_MAX = STS_FRAME_HEAD + STS_ENTRY_MAX };

#endif
