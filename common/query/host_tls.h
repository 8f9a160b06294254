/* SPDX-License-Identifier: ISC */
/* Which TLS library the program that loaded us speaks. */
#ifndef STS_QUERY_HOST_TLS_H
#define STS_QUERY_HOST_TLS_H

#include "conf/conf.h"

/*
 * By what the main program itself needs: its libraries and the functions it
 * imports.  What is mapped tells nothing, for Debian's Exim, which speaks
 * GnuTLS, maps libssl too by way of its database libraries.
 * STS_FLAVOUR_AUTO: neither, or both.
 */
enum sts_flavour sts_flavour_of_host(void);

#endif
