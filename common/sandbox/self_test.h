/* SPDX-License-Identifier: ISC */
/* Does the sandbox hold?  Tried from inside, by the process that is in it. */
#ifndef STS_SELF_TEST_H
#define STS_SELF_TEST_H

#include <stdbool.h>

#include "sandbox.h"

struct self_test;

/*
 * In a process of its own: do what the program does, enter the sandbox, and
 * call self_test_try().  first: of several such processes, since some calls end
 * the one that makes them.  Returns only where something is amiss: a line.
 */
typedef const char *self_test_fn(void *arg, struct self_test *, bool first);

/*
 * Prints a line for each thing that the sandbox must refuse.  The exit status:
 * 0: all that this kernel can refuse is refused; 1: not so; 3: a fault.
 */
int self_test(self_test_fn *, void *arg);

/* inside: a directory that may be written to. */
_Noreturn void self_test_try(struct self_test *, const struct sandbox *,
    const char *inside);

#endif
