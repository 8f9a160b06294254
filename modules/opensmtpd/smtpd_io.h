/* SPDX-License-Identifier: ISC */
/* Both ends of smtpd's socket, for programs that must not die of it. */
#ifndef OPENSMTPD_SMTPD_IO_H
#define OPENSMTPD_SMTPD_IO_H

#include <stdbool.h>
#include <stddef.h>

/* Signals that would end us, and smtpd with us, do nothing. */
void smtpd_survive(void);

/*
 * All of it, however long that takes; what cannot be written is dropped: the
 * reader is gone, and the end of input will say so.
 */
void smtpd_write(int fd, const char *p, size_t len);

/*
 * The same by way of a buffer, for a loop that must hear while the other side
 * is slow to: it waits only where the buffer is full.
 */
enum { SMTPD_OUT_SIZE = 256 * 1024 };

struct smtpd_out {
	size_t head, tail;
	char buf[SMTPD_OUT_SIZE];
};

void smtpd_put(struct smtpd_out *, int fd, const char *p, size_t len);
/* As much as goes without waiting; fd does not block.  True: all is gone. */
bool smtpd_flush(struct smtpd_out *, int fd);

/* Bytes read; 0: end of input, the order to stop. */
size_t smtpd_read(int fd, char *p, size_t room);

#endif
