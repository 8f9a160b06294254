/* SPDX-License-Identifier: ISC */
/* The nameservers that resolv.conf(5) names. */
#ifndef STS_NET_RESOLV_CONF_H
#define STS_NET_RESOLV_CONF_H

#include <stddef.h>

#include "base/scan.h"
#include "conf/conf.h"

/*
 * Reads the bytes of a resolv.conf and writes at most STS_SERVERS_MAX servers;
 * returns how many, never 0: where the text names none that can be used it is
 * 127.0.0.1, as libc has it.  Whatever it does not know it passes over.
 */
size_t sts_resolv_parse(struct sts_server out[STS_SERVERS_MAX],
    struct sts_str text);

#endif
