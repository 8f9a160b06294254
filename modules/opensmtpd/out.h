/* SPDX-License-Identifier: ISC */
/* Both ends of smtpd's socket, for programs that must not die of it. */
#ifndef OPENSMTPD_OUT_H
#define OPENSMTPD_OUT_H

#include <stdbool.h>
#include <stddef.h>

/* Signals that would end us, and smtpd with us, do nothing. */
void out_survive(void);

/*
 * All of it, however long that takes; what cannot be written is dropped: the
 * reader is gone, and the end of input will say so.
 */
void out_write(int fd, const char *p, size_t len);

/* Bytes read; 0: end of input, the order to stop. */
size_t out_read(int fd, char *p, size_t room);

#endif
