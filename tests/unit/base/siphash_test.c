/* SPDX-License-Identifier: ISC */
#include "base/siphash.h"
#include "row.h"

/* SipHash-2-4 of the bytes 00, 01 ... under the key 00 ... 0f: its authors'. */
static const struct {
	size_t len;
	uint64_t hash;
} vectors[] = {
	{ 0, 0x726fdb47dd0e0e31 },
	{ 1, 0x74f839c593dc67fd },
	{ 7, 0xab0200f58b01d137 },
	{ 8, 0x93f5f5799a932462 },
	{ 9, 0x9e0082df0ba9e4b0 },
	{ 15, 0xa129ca6149be45e5 },
	{ 63, 0x958a324ceb064572 },
};

static void
test_vectors(void **state)
{
	static const uint64_t key[2] = { 0x0706050403020100,
		0x0f0e0d0c0b0a0908 };
	char in[64];

	(void)state;
	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (char)i;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
		ROW(sts_siphash(key,
			(struct sts_str){ guard_copy(in, vectors[i].len),
			    vectors[i].len }) == vectors[i].hash,
		    "%zu bytes", vectors[i].len);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
