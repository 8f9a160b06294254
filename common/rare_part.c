/* SPDX-License-Identifier: ISC */
/* The object that rare_load.c loads. */
#include "rare.h"

__attribute__((visibility("default"))) const struct sts_rare sts_rare = {
	.version = STS_VERSION,
	.layout = STS_RARE_LAYOUT,
	.ask = sts_ask,
	.ask_again = sts_ask_again,
	.look_behind = sts_look_behind,
	.lost_make = sts_lost_make,
	.lost_count = sts_lost_count,
};
