/* SPDX-License-Identifier: ISC */
/* Compression of a report, RFC 8460 5.2. */
#include <stdlib.h>

#include <zlib.h>

#include "report.h"

enum { GZIP_FORMAT = 16, WINDOW = 15, MEMORY = 8 };

void *
report_gzip(const void *in, size_t len, size_t *out_len)
{
	z_stream z = { 0 };
	size_t room;
	void *out;
	union { /* zlib does not write there, but says Bytef * */
		const void *in;
		Bytef *bytes;
	} u = { in };

	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
		WINDOW + GZIP_FORMAT, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
		return NULL;
	room = deflateBound(&z, len);
	if ((out = malloc(room)) != NULL) {
		z.next_in = u.bytes;
		z.avail_in = (uInt)len;
		z.next_out = out;
		z.avail_out = (uInt)room;
		if (deflate(&z, Z_FINISH) != Z_STREAM_END) {
			free(out);
			out = NULL;
		}
		*out_len = z.total_out;
	}
	deflateEnd(&z);
	return out;
}
