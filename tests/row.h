/* SPDX-License-Identifier: ISC */
/*
 * Table driven tests on cmocka: a row that fails is named by its clause and
 * the rest of the table still runs.
 */
#ifndef TESTS_ROW_H
#define TESTS_ROW_H

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "guard.h"
#include "scan.h"
#include "sts.h"

/* A literal with its length, NUL bytes inside included. */
#define LIT(s)                                                                 \
	{                                                                      \
		s, sizeof(s) - 1                                               \
	}

static unsigned rows, rows_bad;

/* printf-like: what was wanted and what came. */
#define ROW(ok, ...)                                                           \
	do {                                                                   \
		rows++;                                                        \
		if (!(ok)) {                                                   \
			rows_bad++;                                            \
			print_error(__VA_ARGS__);                              \
			print_error("\n");                                     \
		}                                                              \
	} while (0)

/* Once at the end of each test function. */
static inline void
rows_done(void)
{
	unsigned n = rows, bad = rows_bad;

	rows = rows_bad = 0;
	print_message("%u rows, %u wrong\n", n, bad);
	assert_int_not_equal(n, 0);
	assert_int_equal(bad, 0);
}

#endif
