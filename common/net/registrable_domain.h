/* SPDX-License-Identifier: ISC */
/* Whose a domain is. */
#ifndef STS_NET_REGISTRABLE_DOMAIN_H
#define STS_NET_REGISTRABLE_DOMAIN_H

/*
 * The part of a domain (sts_domain_normal() form) that its owner registered and
 * paid for: one label below the suffix of a registry.  Hosters whose customers
 * get names for nothing (github.io, duckdns.org) are one owner, whatever they
 * have entered in the list, or anybody could be as many owners as he likes.  A
 * suffix itself is its own owner.
 *
 * Points into domain.  Asks nobody and reads no file: the list is that of the
 * library.  In the mail server's own process, which does without libpsl,
 * sts_domain_owner() guesses.
 */
const char *registrable_domain(const char *domain);

#endif
