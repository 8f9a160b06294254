/* SPDX-License-Identifier: ISC */
/* Looking for one usable certificate in a CA store, for tls_*.c. */
#ifndef STS_NET_CA_PROBE_H
#define STS_NET_CA_PROBE_H

#include <stdbool.h>
#include <stdio.h>

#include <mtasts/sts.h>

/* Does the stream hold a PEM certificate that the library can parse? */
typedef bool tls_ca_probe(FILE *);

enum sts_rc tls_ca_file(const char *path, tls_ca_probe *, struct sts_err *err);

/*
 * A directory with at least one such file.  hashed: only names that OpenSSL
 * looks up count, "5ed36f99.0".
 */
enum sts_rc tls_ca_dir(const char *path, bool hashed, tls_ca_probe *,
    struct sts_err *err);

/* The first of a NULL-terminated list that exists; the first if none. */
const char *tls_ca_first(const char *const paths[]);

#endif
