/* SPDX-License-Identifier: ISC */
#include "dns_message.h"

/* Length bytes and all: 1 to 63, and a 0 where the name ends. */
static bool
well_formed(const uint8_t *name, size_t len)
{
	size_t i = 0;

	while (i < len && name[i] != 0 && name[i] < 64)
		i += 1u + name[i];
	return i + 1 == len && name[i] == 0 && len <= DNS_WIRE_MAX;
}

/* A name with a pointer to it behind it reads the same at both places. */
static void
pointed_to(const uint8_t *data, size_t len)
{
	struct message m = { .p = data, .len = len };
	struct dns_wire name, again;
	uint8_t more[DNS_WIRE_MAX + 4];
	size_t end;

	for (size_t at = 0; at < len && at < 64; at++)
		if ((end = dns_wire_read(&name, data, len, at)) != 0) {
			MUST(end == message_name(&m, at, &again));
			MUST(well_formed(name.bytes, name.len));
			MUST(dns_wire_is(&name, again.bytes, again.len));
		}
	if (len == 0 || len > DNS_WIRE_MAX ||
	    dns_wire_read(&name, data, len, 0) != len)
		return;
	memcpy(more, data, len);
	memcpy(more + len, "\300", 2);
	MUST(dns_wire_read(&again, more, len + 2, len) == len + 2);
	MUST(dns_wire_is(&again, data, len));
	MUST(dns_wire_read(&again, more, len + 1, len) == 0);
}

/* The bytes as a name in a message, and the same as its text. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct dns_wire wire, again;
	char host[256], text[300];

	pointed_to(data, len);
	if (dns_wire_host(host, data, len)) {
		MUST(well_formed(data, len));
		MUST(dns_wire_read(&wire, data, len, 0) == len);
		MUST(dns_wire_parse(&again, host[0] == '\0' ? "." : host));
		MUST(dns_wire_is(&wire, again.bytes, again.len));
		MUST(dns_wire_is(&again, data, len));
		MUST(len == 1 || !dns_wire_is(&again, data, len - 1));
	}
	if (len >= sizeof text)
		return 0;
	memcpy(text, data, len);
	text[len] = '\0';
	len = strlen(text);
	if (dns_wire_parse(&wire, text)) {
		MUST(len > 0);
		MUST(well_formed(wire.bytes, wire.len));
		MUST(wire.len == (strcmp(text, ".") == 0 ? 1 : len + 2));
		MUST(dns_wire_host(host, wire.bytes, wire.len));
		MUST(str_is_nocase(str_of(text), host) ||
		    (host[0] == '\0' && strcmp(text, ".") == 0));
	}
	return 0;
}
