/* SPDX-License-Identifier: ISC */
/* One run of "mtasts report --forward", for sink = tlsrpt. */
#ifndef REPORT_FORWARD_H
#define REPORT_FORWARD_H

#include "program.h"

/*
 * Hand what was recorded and not yet handed over to the collector, and remove
 * days that are done and kept long enough.  spool: the directory, whose lock
 * is held.  Sets failed where it is this host's fault.
 */
void forward_run(struct program *, int spool);

#endif
