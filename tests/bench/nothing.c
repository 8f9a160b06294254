/* SPDX-License-Identifier: ISC */
/* The smallest thing that dlopen(3) can load. */
int nothing(void);

int
nothing(void)
{
	return 0;
}
