/* SPDX-License-Identifier: ISC */
#include "must.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const hosts[] = { "mta-sts.example.com",
		"mx1.example.com", "a.mail.example.com", "192.0.2.1", "" };
	static const char base[] = "example.com";
	bool any = sts_cert_has_dns_id(data, len, NULL);

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		if (sts_cert_has_dns_id(data, len, hosts[i])) {
			MUST(any && i < 3);
			for (size_t k = 0;; k++) {
				MUST(k + sizeof base - 1 <= len);
				if (str_is_nocase((struct sts_str){ (const char
									    *)
									data +
							  k,
						      sizeof base - 1 },
					base))
					break;
			}
		}
	/* A certificate is all its bytes. */
	if (sts_cert_for_server(data, len))
		MUST(!sts_cert_for_server(data, len - 1));
	if (any)
		MUST(!sts_cert_has_dns_id(data, len - 1, NULL));
	return 0;
}
