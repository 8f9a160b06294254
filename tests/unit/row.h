/* SPDX-License-Identifier: ISC */
/*
 * Table driven tests on cmocka: a row that fails is named by its clause and
 * the rest of the table still runs.
 */
#ifndef TESTS_UNIT_ROW_H
#define TESTS_UNIT_ROW_H

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/scan.h"
#include "guard.h"
#include <mtasts/sts.h>

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

/* Problems heard, as "code:line", with "!" before those that are fatal. */
struct heard {
	char all[400];
	bool odd; /* a text or code that breaks the contract of sts.h */
};

static inline void
hear(void *arg, const struct sts_problem *p)
{
	struct heard *h = arg;
	size_t n = strlen(h->all);

	snprintf(h->all + n, sizeof h->all - n, "%s%s%s:%u", n > 0 ? " " : "",
	    p->fatal ? "!" : "", p->code, p->line);
	h->odd |= p->text[0] == '\0' || !str_all(str_of(p->text), is_print) ||
	    strlen(p->code) > 30;
}

#endif
