/* SPDX-License-Identifier: ISC */
/* What a hostile owner of the store may plant: none of it may be believed. */
#ifndef TESTS_UNIT_PLANT_H
#define TESTS_UNIT_PLANT_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef void plant_fn(const char *path);

static inline void
plant_garbage(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	(void)!write(fd, "mtasts2 garbage", 15);
	close(fd);
}

static inline void
plant_empty(const char *path)
{
	close(open(path, O_CREAT | O_WRONLY, 0600));
}

static inline void
plant_fifo(const char *path)
{
	(void)mkfifo(path, 0600);
}

static inline void
plant_directory(const char *path)
{
	(void)mkdir(path, 0700);
}

static inline void
plant_link(const char *path)
{
	(void)!symlink("/etc/passwd", path);
}

static inline void
plant_long_link(const char *path)
{
	char target[300];

	memset(target, 'x', sizeof target);
	target[sizeof target - 1] = '\0';
	(void)!symlink(target, path);
}

static inline void
plant_hard_link(const char *path)
{
	char from[400];

	snprintf(from, sizeof from, "%s~planted", path);
	plant_garbage(from);
	(void)!link(from, path);
}

static inline void
plant_big(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	(void)!ftruncate(fd, (off_t)1 << 40);
	close(fd);
}

/* What no crash of ours leaves behind: somebody else was at work. */
static inline bool
plant_is_fault(plant_fn *fn)
{
	return fn == plant_fifo || fn == plant_directory ||
	    fn == plant_hard_link;
}

#define PLANTS                                                                 \
	plant_garbage, plant_empty, plant_fifo, plant_directory, plant_link,   \
	    plant_long_link, plant_hard_link, plant_big

#endif
