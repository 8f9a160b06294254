/* SPDX-License-Identifier: ISC */
/* The clocks.  Rules have none: their time is a parameter. */
#ifndef STS_BASE_CLOCK_H
#define STS_BASE_CLOCK_H

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

/*
 * Seconds since 1970 as file systems stamp their files.  time(3) says the
 * same, but is an IFUNC in glibc: its name alone costs a fresh process 2 us
 * and two page faults.
 */
static inline int64_t
sts_now(void)
{
	struct timespec ts;

#ifdef CLOCK_REALTIME_COARSE /* else it may be 4 ms ahead of them */
	clock_gettime(CLOCK_REALTIME_COARSE, &ts);
#else
	clock_gettime(CLOCK_REALTIME, &ts);
#endif
	return ts.tv_sec;
}

#endif
