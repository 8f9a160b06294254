/* SPDX-License-Identifier: ISC */
/* Whether a domain in UTF-8 has a form in ASCII. */
#ifndef EXIM_ALABEL_H
#define EXIM_ALABEL_H

#include <stdbool.h>

/* False only where it certainly has none. */
bool exim_alabel_exists(const char *domain);

#endif
