/* SPDX-License-Identifier: ISC */
/*
 * Domain names as a DNS message has them, RFC 1035 3.1.  Pure.
 *
 *   name = *( length 1*63octet ) ( %x00 / pointer )    at most 255 bytes
 */
#include "dns_wire.h"

#include "base/scan.h"

enum { LABEL_MAX = 63, POINTER = 0xc0, POINTERS_MAX = 127 };

static bool
is_label_char(char c)
{
	return is_ldh(c) || c == '_';
}

bool
dns_wire_parse(struct dns_wire *out, const char *name)
{
	struct scan s = scan_str(str_of(name));
	struct sts_str label;

	out->len = 0;
	if (s.p + 1 == s.end && *s.p == '.')
		s.p++;
	else if (s.p == s.end)
		return false;
	while (s.p < s.end) {
		label = scan_while(&s, is_label_char);
		if (label.len == 0 || label.len > LABEL_MAX ||
		    label.len + 2 > sizeof out->bytes - out->len)
			return false;
		out->bytes[out->len++] = (uint8_t)label.len;
		memcpy(out->bytes + out->len, label.p, label.len);
		out->len += label.len;
		if (s.p < s.end && (!scan_char(&s, '.') || s.p == s.end))
			return false;
	}
	out->bytes[out->len++] = 0;
	return true;
}

/*
 * RFC 4343: ASCII letters alone have case.  Length bytes are under 64, so
 * folding the whole is safe.
 */
bool
dns_wire_is(const struct dns_wire *a, const uint8_t *b, size_t len)
{
	if (a->len != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (to_lower((char)a->bytes[i]) != to_lower((char)b[i]))
			return false;
	return true;
}

size_t
dns_wire_read(struct dns_wire *out, const uint8_t *message, size_t size,
    size_t at)
{
	size_t before = at, end = 0, len;

	out->len = 0;
	for (unsigned pointers = 0; at < size;) {
		len = message[at];
		if (len >= POINTER) {
			if (size - at < 2 || pointers++ == POINTERS_MAX)
				return 0;
			if (end == 0)
				end = at + 2;
			at = (len & 0x3f) << 8 | message[at + 1];
			if (at >= before)
				return 0; /* it names what came before */
			before = at;
			continue;
		}
		if (len > LABEL_MAX || len >= size - at ||
		    len >= sizeof out->bytes - out->len)
			return 0;
		memcpy(out->bytes + out->len, message + at, len + 1);
		out->len += len + 1;
		at += len + 1;
		if (len == 0)
			return end == 0 ? at : end;
	}
	return 0;
}

bool
dns_wire_host(char out[256], const uint8_t *name, size_t size)
{
	size_t i = 0, len, n = 0;

	if (size == 0 || size > DNS_WIRE_MAX)
		return false;
	while (i < size && (len = name[i++]) != 0) {
		if (len > LABEL_MAX || len >= size - i)
			return false;
		if (n > 0)
			out[n++] = '.';
		for (; len > 0; len--, i++) {
			/* A dot or NUL inside a label would name another. */
			if (!is_label_char((char)name[i]))
				return false;
			out[n++] = to_lower((char)name[i]);
		}
	}
	out[n] = '\0';
	return i == size;
}
