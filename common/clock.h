/* SPDX-License-Identifier: ISC */
/* The clock for deadlines.  Rules have none: their time is a parameter. */
#ifndef STS_CLOCK_H
#define STS_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds since some moment; never jumps. */
static inline int64_t
sts_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

#endif
