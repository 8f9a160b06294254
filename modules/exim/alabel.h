/* SPDX-License-Identifier: ISC */
/* The form in ASCII of a domain in UTF-8. */
#ifndef EXIM_ALABEL_H
#define EXIM_ALABEL_H

#include <stdbool.h>

/*
 * False only where it certainly has none.  *out is malloc'd; NULL: the domain
 * is ASCII already, or could not be converted for what this host lacks.
 */
bool exim_alabel(char **out, const char *domain);

#endif
