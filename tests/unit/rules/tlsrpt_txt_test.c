/* SPDX-License-Identifier: ISC */
/* The grammar that both kinds of record share is tested in record.c. */
#include "row.h"
#include <mtasts/session.h>

#define V "v=TLSRPTv1; "
#define A32 "abcdefghijklmnopqrstuvwxyz012345"

enum { TXT_MAX = 3 };

static const struct {
	const char *clause;
	struct sts_str txt[TXT_MAX];
	enum sts_rc rc;
	const char *rua; /* with blanks between */
	const char *heard;
} cases[] = {
	/* RFC 8460 3: the record */
	{ "3 the RFC's mail example",
	    { LIT("v=TLSRPTv1;rua=mailto:reports@example.com") }, STS_OK,
	    "mailto:reports@example.com", "" },
	{ "3 the RFC's https example",
	    { LIT("v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt") },
	    STS_OK, "https://reporting.example.com/v1/tlsrpt", "" },
	{ "3 no record", { { NULL, 0 } }, STS_ABSENT, "", "!record-missing:0" },
	{ "3 others are discarded",
	    { LIT("v=STSv1; id=a"), LIT(V "rua=mailto:a@x.example") }, STS_OK,
	    "mailto:a@x.example", "" },
	{ "3 two records are none",
	    { LIT(V "rua=mailto:a@x.example"),
		LIT("v=TLSRPTv1 ;rua=mailto:b@x.example") },
	    STS_INVALID, "", "!several-records:0" },
	{ "3 version is case-sensitive",
	    { LIT("v=tlsrptv1; rua=mailto:a@x.example") }, STS_ABSENT, "",
	    "version-syntax:1 !record-missing:0" },
	{ "3 version compared whole",
	    { LIT("v=TLSRPTv10; rua=mailto:a@x.example") }, STS_ABSENT, "",
	    "version-syntax:1 !record-missing:0" },
	{ "3 rua is required", { LIT(V "x=y") }, STS_INVALID, "",
	    "unknown-field:1 !rua-missing:1" },
	{ "3 RUA is not rua", { LIT(V "RUA=y") }, STS_INVALID, "",
	    "unknown-field:1 !rua-missing:1" },
	{ "3 fields in any order",
	    { LIT(V "a=b; rua=mailto:a@x.example;c=d;") }, STS_OK,
	    "mailto:a@x.example", "unknown-field:1 unknown-field:1" },
	{ "3 a bad extension spoils the record",
	    { LIT(V "rua=mailto:a@x.example; " A32 "x=1") }, STS_INVALID, "",
	    "!field-syntax:1" },
	{ "3 rua may repeat",
	    { LIT(V "rua=mailto:a@x.example; rua=https://x.example/") }, STS_OK,
	    "mailto:a@x.example https://x.example/", "" },
	/* The list */
	{ "3 a list, blanks and tabs about the comma",
	    { LIT(V "rua=mailto:a@x.example \t,\t https://x.example") }, STS_OK,
	    "mailto:a@x.example https://x.example", "" },
	{ "3 an empty rua", { LIT(V "rua=") }, STS_INVALID, "",
	    "!rua-syntax:1" },
	{ "3 a comma at the end", { LIT(V "rua=mailto:a@x.example,") },
	    STS_INVALID, "", "!rua-syntax:1" },
	{ "3 a comma at the start", { LIT(V "rua=,mailto:a@x.example") },
	    STS_INVALID, "", "!rua-syntax:1" },
	{ "3 the same twice counts once",
	    { LIT(V "rua=mailto:a@x.example,mailto:a@x.example") }, STS_OK,
	    "mailto:a@x.example", "rua-skipped:1" },
	{ "3 and over fields",
	    { LIT(V "rua=mailto:a@x.example;rua=mailto:a@x.example") }, STS_OK,
	    "mailto:a@x.example", "rua-skipped:1" },
	{ "7 eight at most",
	    { LIT(V "rua=mailto:1@x.example,mailto:2@x.example,"
		    "mailto:3@x.example,mailto:4@x.example,mailto:5@x.example,"
		    "mailto:6@x.example,mailto:7@x.example,mailto:8@x.example,"
		    "mailto:9@x.example") },
	    STS_OK,
	    "mailto:1@x.example mailto:2@x.example mailto:3@x.example "
	    "mailto:4@x.example mailto:5@x.example mailto:6@x.example "
	    "mailto:7@x.example mailto:8@x.example",
	    "rua-skipped:1" },
	/* The URI */
	{ "3 blank inside", { LIT(V "rua=mailto:a@x.example b") }, STS_INVALID,
	    "", "!rua-syntax:1" },
	{ "3 ! must be encoded", { LIT(V "rua=mailto:a!b@x.example") },
	    STS_INVALID, "", "!rua-syntax:1" },
	{ "3 , ; and ! encoded", { LIT(V "rua=mailto:a%2Cb%3b%21@x.example") },
	    STS_OK, "mailto:a%2Cb%3b%21@x.example", "" },
	{ "RFC 3986 2.1 half an escape", { LIT(V "rua=https://x.example/%4") },
	    STS_INVALID, "", "!rua-syntax:1" },
	{ "RFC 3986 2.1 no hex", { LIT(V "rua=https://x.example/%4g") },
	    STS_INVALID, "", "!rua-syntax:1" },
	{ "RFC 3986 2 quotes", { LIT(V "rua=https://x.example/\"") },
	    STS_INVALID, "", "!rua-syntax:1" },
	{ "RFC 3986 2 NUL", { LIT(V "rua=https://x.example/\0") }, STS_INVALID,
	    "", "!rua-syntax:1" },
	{ "RFC 3986 2 ASCII", { LIT(V "rua=mailto:\xc3\xbc@x.example") },
	    STS_INVALID, "", "!rua-syntax:1" },
	{ "RFC 3986 3.1 no scheme", { LIT(V "rua=x.example") }, STS_INVALID, "",
	    "!rua-syntax:1" },
	{ "RFC 3986 3.1 scheme begins with a letter",
	    { LIT(V "rua=1mailto:a@x.example") }, STS_INVALID, "",
	    "!rua-syntax:1" },
	{ "RFC 3986 3.1 scheme in any case",
	    { LIT(V "rua=MailTo:a@x.example,HTTPS://x.example") }, STS_OK,
	    "MailTo:a@x.example HTTPS://x.example", "" },
	{ "3 other schemes are skipped",
	    { LIT(V "rua=http://x.example/,mailto:a@x.example") }, STS_OK,
	    "mailto:a@x.example", "rua-skipped:1" },
	{ "3 where none is left there is none",
	    { LIT(V "rua=ftp://x.example") }, STS_INVALID, "",
	    "rua-skipped:1 !rua-useless:1" },
	/* mailto, RFC 6068 2 */
	{ "RFC 6068 header fields do no harm",
	    { LIT(V "rua=mailto:a@x.example?cc=b@y.example") }, STS_OK,
	    "mailto:a@x.example?cc=b@y.example", "" },
	{ "RFC 6068 no domain", { LIT(V "rua=mailto:a@") }, STS_INVALID, "",
	    "rua-skipped:1 !rua-useless:1" },
	{ "RFC 6068 no local part", { LIT(V "rua=mailto:@x.example") },
	    STS_INVALID, "", "rua-skipped:1 !rua-useless:1" },
	{ "RFC 6068 nobody", { LIT(V "rua=mailto:?to=a@x.example") },
	    STS_INVALID, "", "rua-skipped:1 !rua-useless:1" },
	{ "RFC 6068 two @", { LIT(V "rua=mailto:a@b@x.example") }, STS_INVALID,
	    "", "rua-skipped:1 !rua-useless:1" },
	{ "RFC 6068 an address literal", { LIT(V "rua=mailto:a@[192.0.2.1]") },
	    STS_INVALID, "", "rua-skipped:1 !rua-useless:1" },
	{ "RFC 6068 escaped domain", { LIT(V "rua=mailto:a@x%2eexample") },
	    STS_OK, "mailto:a@x%2eexample", "" },
	{ "RFC 6068 6.1 quoted", { LIT(V "rua=mailto:%22not%40me%22@x.test") },
	    STS_OK, "mailto:%22not%40me%22@x.test", "" },
	{ "RFC 6068 2 no authority",
	    { LIT(V "rua=mailto://a@x.test,mailto:b@x.test") }, STS_OK,
	    "mailto:b@x.test", "rua-skipped:1" },
	{ "RFC 5322 3.2 no line end in an address",
	    { LIT(V "rua=mailto:a%0D%0ABcc:b@x.test,mailto:b@x.test") }, STS_OK,
	    "mailto:b@x.test", "rua-skipped:1" },
	{ "RFC 8460 7 the same mailbox by other names",
	    { LIT(V "rua=mailto:a@x.test,mailto:%61@X.test?1,"
		    "mailto:%22a%22@x.test") },
	    STS_OK, "mailto:a@x.test", "rua-skipped:1 rua-skipped:1" },
	/* https */
	{ "RFC 9110 4.2.2 port, path, query",
	    { LIT(V "rua=https://x.example:443/r?d=1#f") }, STS_OK,
	    "https://x.example:443/r?d=1#f", "" },
	{ "RFC 8460 7 another service's port",
	    { LIT(V "rua=https://x.example:8443/r") }, STS_INVALID, "",
	    "rua-skipped:1 !rua-useless:1" },
	{ "RFC 9110 4.2.2 no host", { LIT(V "rua=https:///r") }, STS_INVALID,
	    "", "rua-skipped:1 !rua-useless:1" },
	{ "RFC 9110 4.2.2 no //", { LIT(V "rua=https:x.example") }, STS_INVALID,
	    "", "rua-skipped:1 !rua-useless:1" },
	{ "RFC 9110 4.2.4 user name", { LIT(V "rua=https://u@x.example/") },
	    STS_INVALID, "", "rua-skipped:1 !rua-useless:1" },
	{ "RFC 8460 7 an address", { LIT(V "rua=https://127.0.0.1/r") },
	    STS_INVALID, "", "rua-skipped:1 !rua-useless:1" },
	{ "RFC 8460 7 an IPv6 address", { LIT(V "rua=https://[::1]/r") },
	    STS_INVALID, "", "rua-skipped:1 !rua-useless:1" },
	{ "RFC 8460 7 a trailing dot is another name to libcurl",
	    { LIT(V "rua=https://x.example.:8443/r") }, STS_INVALID, "",
	    "rua-skipped:1 !rua-useless:1" },
	{ "RFC 8460 7 a host of this network", { LIT(V "rua=https://intra/r") },
	    STS_INVALID, "", "rua-skipped:1 !rua-useless:1" },
	{ "RFC 3986 3.2.3 port 0", { LIT(V "rua=https://x.example:0/") },
	    STS_INVALID, "", "rua-skipped:1 !rua-useless:1" },
	{ "RFC 3986 3.2.3 port 65536", { LIT(V "rua=https://x.example:65536") },
	    STS_INVALID, "", "rua-skipped:1 !rua-useless:1" },
	{ "RFC 3986 3.2.3 port and name", { LIT(V "rua=https://x.example:1a") },
	    STS_INVALID, "", "rua-skipped:1 !rua-useless:1" },
};

static void
join(char *out, size_t size, const struct sts_tlsrpt *t)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < t->n; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%.*s",
		    i > 0 ? " " : "", (int)t->rua[i].len, t->rua[i].p);
}

static void
table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sts_str in[TXT_MAX];
		struct sts_tlsrpt out;
		struct sts_err err = { 0 };
		struct heard h = { 0 };
		char rua[1000];
		size_t n = 0;
		enum sts_rc rc;

		for (; n < TXT_MAX && cases[i].txt[n].p != NULL; n++) {
			in[n].len = cases[i].txt[n].len;
			in[n].p = guard_copy(cases[i].txt[n].p, in[n].len);
		}
		rc = sts_tlsrpt_select(&out, in, n, hear, &h, &err);
		join(rua, sizeof rua, &out);
		ROW(rc == cases[i].rc && strcmp(rua, cases[i].rua) == 0 &&
			strcmp(h.all, cases[i].heard) == 0 && !h.odd,
		    "%s: %s, rua \"%s\", heard \"%s\"", cases[i].clause,
		    sts_rc_name(rc), rua, h.all);
		ROW(err.rc == rc && (err.text[0] == '\0') == (rc == STS_OK),
		    "%s: err %s \"%s\"", cases[i].clause, sts_rc_name(err.rc),
		    err.text);
		ROW(sts_tlsrpt_select(&out, in, n, NULL, NULL, NULL) == rc,
		    "%s: the same where nobody listens", cases[i].clause);
	}
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
	};

	return cmocka_run_group_tests_name("tlsrpt", tests, NULL, NULL);
}
