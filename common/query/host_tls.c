/* SPDX-License-Identifier: ISC */
/* The dynamic section of the main program, as the loader left it. */
#include "host_tls.h"

#include <link.h>
#include <string.h>

struct image {
	const char *names; /* DT_STRTAB */
	const ElfW(Sym) * syms;
	const char *rel[2]; /* DT_JMPREL, DT_RELA or DT_REL */
	size_t rel_size[2];
	size_t rel_step[2];
	bool needs_gnutls, needs_openssl;
	unsigned gnutls, openssl; /* imported functions */
};

static bool
starts(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* glibc writes absolute addresses into d_ptr, musl and the BSDs do not. */
static const void *
at(const struct dl_phdr_info *info, ElfW(Addr) ptr)
{
	return (
	    const void *)(ptr < info->dlpi_addr ? ptr + info->dlpi_addr : ptr);
}

static void
read_dynamic(struct image *im, const struct dl_phdr_info *info,
    const ElfW(Dyn) * dyn)
{
	size_t plt_step = sizeof(ElfW(Rela));

	for (; dyn->d_tag != DT_NULL; dyn++) {
		const void *p = at(info, dyn->d_un.d_ptr);

		switch (dyn->d_tag) {
		case DT_STRTAB:
			im->names = p;
			break;
		case DT_SYMTAB:
			im->syms = p;
			break;
		case DT_JMPREL:
			im->rel[0] = p;
			break;
		case DT_PLTRELSZ:
			im->rel_size[0] = dyn->d_un.d_val;
			break;
		case DT_PLTREL:
			if (dyn->d_un.d_val == DT_REL)
				plt_step = sizeof(ElfW(Rel));
			break;
		case DT_RELA:
		case DT_REL:
			im->rel[1] = p;
			im->rel_step[1] = dyn->d_tag == DT_RELA
			    ? sizeof(ElfW(Rela))
			    : sizeof(ElfW(Rel));
			break;
		case DT_RELASZ:
		case DT_RELSZ:
			im->rel_size[1] = dyn->d_un.d_val;
			break;
		default:
			break;
		}
	}
	im->rel_step[0] = plt_step;
}

static void
count_libraries(struct image *im, const ElfW(Dyn) * dyn)
{
	for (; dyn->d_tag != DT_NULL; dyn++) {
		if (dyn->d_tag != DT_NEEDED)
			continue;
		if (starts(im->names + dyn->d_un.d_val, "libgnutls.so"))
			im->needs_gnutls = true;
		if (starts(im->names + dyn->d_un.d_val, "libssl.so"))
			im->needs_openssl = true;
	}
}

/* Each imported function has a relocation that names it. */
static void
count_imports(struct image *im, unsigned table)
{
	const ElfW(Rel) * r; /* Rela begins alike */
	const char *name;

	for (size_t o = 0; im->rel[table] != NULL &&
	     o + im->rel_step[table] <= im->rel_size[table];
	     o += im->rel_step[table]) {
		r = (const void *)(im->rel[table] + o);
#if __ELF_NATIVE_CLASS == 32
		name = im->names + im->syms[ELF32_R_SYM(r->r_info)].st_name;
#else
		name = im->names + im->syms[ELF64_R_SYM(r->r_info)].st_name;
#endif
		im->gnutls += starts(name, "gnutls_");
		im->openssl += starts(name, "SSL_");
	}
}

/* Called for the main program first, and only once. */
static int
look(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct image *im = arg;
	const ElfW(Dyn) *dyn = NULL;

	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			dyn = (const void *)(info->dlpi_addr +
			    info->dlpi_phdr[i].p_vaddr);
	if (dyn == NULL)
		return 1; /* static: nothing to be seen */
	read_dynamic(im, info, dyn);
	if (im->names == NULL || im->syms == NULL)
		return 1;
	count_libraries(im, dyn);
	count_imports(im, 0);
	count_imports(im, 1);
	return 1;
}

enum sts_flavour
sts_flavour_of_host(void)
{
	struct image im = { 0 };

	dl_iterate_phdr(look, &im);
	if (im.needs_gnutls != im.needs_openssl)
		return im.needs_gnutls ? STS_FLAVOUR_GNUTLS
				       : STS_FLAVOUR_OPENSSL;
	if (im.gnutls == im.openssl)
		return STS_FLAVOUR_AUTO;
	return im.gnutls > im.openssl ? STS_FLAVOUR_GNUTLS
				      : STS_FLAVOUR_OPENSSL;
}
