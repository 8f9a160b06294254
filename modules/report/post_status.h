/* SPDX-License-Identifier: ISC */
/* What the answer to a POST means, RFC 8460 5.4 and RFC 9110 15.  Pure. */
#ifndef REPORT_POST_STATUS_H
#define REPORT_POST_STATUS_H

#include <stdbool.h>

enum post_fate {
	POST_TAKEN,
	POST_AGAIN,   /* not accepted, but may be later */
	POST_REFUSED, /* never will be */
	POST_UNKNOWN  /* it may have been accepted or not */
};

/*
 * status: 0 for none.  whole: all of the report went out.  complete: the
 * answer was read to its end, or as far as we wanted to.
 */
enum post_fate post_fate(long status, bool whole, bool complete);

#endif
