/* SPDX-License-Identifier: ISC */
/*
 * System calls and allocations that fail when they are told to.  The linker
 * sends those of the product through here (ld --wrap, the list is in
 * tests/unit/meson.build), so what the C library does by itself does not count.
 *
 * Calls are counted in each process by itself: the one that began is 0, its
 * children are 1, and theirs 2.  So the count does not hang on who runs first.
 */
#ifndef TESTS_UNIT_FAULTS_FAIL_CALLS_H
#define TESTS_UNIT_FAULTS_FAIL_CALLS_H

#include <stdbool.h>

enum { FAIL_PROCESSES = 3, FAIL_NAMES = 400 };

enum fail_how {
	FAIL_ONCE,
	FAIL_FROM_THEN_ON, /* the fault lasts */
};

struct fail_plan {
	unsigned process; /* whose call */
	long call;        /* the first is 1; 0: none fails */
	int error;        /* errno; an allocation has ENOMEM */
	enum fail_how how;
};

/* Once, before all else; false: no memory. */
bool fail_init(void);

/* In the process that is to be 0, and only for its calls from here on. */
void fail_begin(const struct fail_plan *);
void fail_end(void);

/* How many calls there were since fail_begin(), in any process of that number;
 * and which failed, "" for none.  May be asked in a parent. */
long fail_calls(unsigned process);
const char *fail_name(void);

#endif
