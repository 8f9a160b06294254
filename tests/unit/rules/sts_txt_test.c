/* SPDX-License-Identifier: ISC */
#include "row.h"

#define A32 "abcdefghijklmnopqrstuvwxyz012345"
_Static_assert(sizeof A32 - 1 == 32, "longest id and longest name");
#define NOT NULL, 0

enum { TXT_MAX = 4 };

static const struct {
	const char *clause;
	struct sts_str txt[TXT_MAX];
	enum sts_rc rc;
	const char *id;
	const char *heard;
} cases[] = {
	/* The version and the choice among records */
	{ "3.1 the RFC's example", { LIT("v=STSv1; id=20160831085700Z;") },
	    STS_OK, "20160831085700Z", "" },
	{ "3.1 no record", { { NOT } }, STS_ABSENT, "", "!record-missing:0" },
	{ "3.1 an empty record", { LIT("") }, STS_ABSENT, "",
	    "!record-missing:0" },
	{ "3.1 somebody else's record", { LIT("v=spf1 -all") }, STS_ABSENT, "",
	    "!record-missing:0" },
	{ "3.1 version alone", { LIT("v=STSv1") }, STS_ABSENT, "",
	    "version-syntax:1 !record-missing:0" },
	{ "3.1 version and ; alone", { LIT("v=STSv1;") }, STS_INVALID, "",
	    "!id-missing:1" },
	{ "3.1 version is case-sensitive", { LIT("v=stsv1; id=a") }, STS_ABSENT,
	    "", "version-syntax:1 !record-missing:0" },
	{ "3.1 V is not v", { LIT("V=STSv1; id=a") }, STS_ABSENT, "",
	    "version-syntax:1 !record-missing:0" },
	{ "3.1 another version", { LIT("v=STSv2; id=a") }, STS_ABSENT, "",
	    "version-syntax:1 !record-missing:0" },
	{ "3.1 version compared whole", { LIT("v=STSv11; id=a") }, STS_ABSENT,
	    "", "version-syntax:1 !record-missing:0" },
	{ "3.1 blank before the version", { LIT(" v=STSv1; id=a") }, STS_ABSENT,
	    "", "version-syntax:1 !record-missing:0" },
	{ "3.1 blanks around =", { LIT("v = STSv1; id=a") }, STS_ABSENT, "",
	    "!record-missing:0" },
	{ "3.1 quoted", { LIT("\"v=STSv1; id=a\"") }, STS_ABSENT, "",
	    "!record-missing:0" },
	{ "3.1 version is first", { LIT("id=a; v=STSv1;") }, STS_ABSENT, "",
	    "!record-missing:0" },
	{ "3.1 others are discarded",
	    { LIT("v=spf1 -all"), LIT("v=STSv1; id=a"), LIT("x") }, STS_OK, "a",
	    "" },
	{ "3.1 an empty one is discarded", { LIT("v=STSv1; id=a"), LIT("") },
	    STS_OK, "a", "" },
	{ "3.1 two records", { LIT("v=STSv1; id=a"), LIT("v=STSv1; id=b") },
	    STS_INVALID, "", "!several-records:0" },
	{ "3.1 two equal records",
	    { LIT("v=STSv1; id=a"), LIT("v=STSv1; id=a") }, STS_INVALID, "",
	    "!several-records:0" },
	{ "3.1 a broken one counts among them",
	    { LIT("v=STSv1; id=a"), LIT("v=STSv1;") }, STS_INVALID, "",
	    "!several-records:0" },
	{ "3.1 one of another version does not",
	    { LIT("v=STSv2; id=b"), LIT("v=STSv1; id=a") }, STS_OK, "a",
	    "version-syntax:1" },
	{ "3.1 one without ; does not",
	    { LIT("v=STSv1; id=a"), LIT("v=STSv1") }, STS_OK, "a",
	    "version-syntax:2" },
	{ "3.1 the line is the record's number",
	    { LIT("x"), LIT("y"), LIT("v=STSv1; id=!") }, STS_INVALID, "",
	    "!id-syntax:3" },
	/* Delimiters */
	{ "3.1 no blanks at all", { LIT("v=STSv1;id=a") }, STS_OK, "a", "" },
	{ "3.1 blanks and tabs around ;",
	    { LIT("v=STSv1; \t id=a \t ; \t x=y \t;") }, STS_OK, "a",
	    "unknown-field:1" },
	{ "3.1 blanks after the last ;", { LIT("v=STSv1; id=a; \t ") }, STS_OK,
	    "a", "" },
	{ "3.1 blank before the first ; (erratum 6285)",
	    { LIT("v=STSv1 ; id=a") }, STS_OK, "a",
	    "blank-before-semicolon:1" },
	{ "3.1 it is a candidate among several, too",
	    { LIT("v=STSv1\t; id=a"), LIT("v=STSv1; id=b") }, STS_INVALID, "",
	    "!several-records:0" },
	{ "3.1 blanks, but no ;", { LIT("v=STSv1 id=a;") }, STS_ABSENT, "",
	    "version-syntax:1 !record-missing:0" },
	{ "3.1 trailing blank without ;", { LIT("v=STSv1; id=a ") },
	    STS_INVALID, "", "!trailing-blank:1" },
	{ "3.1 trailing tab without ;", { LIT("v=STSv1; id=a\t") }, STS_INVALID,
	    "", "!trailing-blank:1" },
	{ "3.1 empty field", { LIT("v=STSv1;; id=a") }, STS_INVALID, "",
	    "!empty-field:1" },
	{ "3.1 blanks are an empty field", { LIT("v=STSv1; ; id=a") },
	    STS_INVALID, "", "!empty-field:1" },
	{ "3.1 two delimiters at the end", { LIT("v=STSv1; id=a;;") },
	    STS_INVALID, "", "!empty-field:1" },
	{ "3.1 other delimiter", { LIT("v=STSv1; id=a, x=y") }, STS_INVALID, "",
	    "!id-syntax:1" },
	{ "3.1 newline is no blank", { LIT("v=STSv1;\nid=a") }, STS_INVALID, "",
	    "!field-syntax:1 !id-missing:1" },
	/* id */
	{ "3.1 id of 1", { LIT("v=STSv1; id=0") }, STS_OK, "0", "" },
	{ "3.1 id of 32", { LIT("v=STSv1; id=" A32) }, STS_OK, A32, "" },
	{ "3.1 id of 33", { LIT("v=STSv1; id=" A32 "6") }, STS_INVALID, "",
	    "!id-syntax:1" },
	{ "3.1 id keeps its case", { LIT("v=STSv1; id=aB") }, STS_OK, "aB",
	    "" },
	{ "3.1 empty id", { LIT("v=STSv1; id=") }, STS_INVALID, "",
	    "!id-syntax:1" },
	{ "3.1 empty id and ;", { LIT("v=STSv1; id=;") }, STS_INVALID, "",
	    "!id-syntax:1" },
	{ "3.1 hyphen in id", { LIT("v=STSv1; id=a-b") }, STS_INVALID, "",
	    "!id-syntax:1" },
	{ "3.1 underscore in id", { LIT("v=STSv1; id=a_b") }, STS_INVALID, "",
	    "!id-syntax:1" },
	{ "3.1 blank before =", { LIT("v=STSv1; id =a") }, STS_INVALID, "",
	    "!field-syntax:1 !id-missing:1" },
	{ "3.1 blank after =", { LIT("v=STSv1; id= a") }, STS_INVALID, "",
	    "!id-syntax:1" },
	{ "3.1 NUL in id", { LIT("v=STSv1; id=a\0b") }, STS_INVALID, "",
	    "!id-syntax:1" },
	{ "3.1 ID is not id", { LIT("v=STSv1; ID=a") }, STS_INVALID, "",
	    "unknown-field:1 !id-missing:1" },
	{ "3.1 idx is not id", { LIT("v=STSv1; idx=a; id=b") }, STS_OK, "b",
	    "unknown-field:1" },
	{ "3.1 id is required", { LIT("v=STSv1; x=y") }, STS_INVALID, "",
	    "unknown-field:1 !id-missing:1" },
	{ "3.2 the first id counts", { LIT("v=STSv1; id=a; id=b") }, STS_OK,
	    "a", "duplicate-id:1" },
	{ "3.2 also where the second is none", { LIT("v=STSv1; id=a; id=a-b") },
	    STS_OK, "a", "duplicate-id:1" },
	{ "3.2 also where the first is none", { LIT("v=STSv1; id=a-b; id=a") },
	    STS_INVALID, "", "!id-syntax:1 duplicate-id:1" },
	{ "3.1 a second id is a field still", { LIT("v=STSv1; id=a; id=a b") },
	    STS_INVALID, "", "!value-syntax:1" },
	/* Extensions */
	{ "3.1 order is free", { LIT("v=STSv1; x=y; id=a; z=1") }, STS_OK, "a",
	    "unknown-field:1 unknown-field:1" },
	{ "3.1 all bytes of a name", { LIT("v=STSv1; id=a; 0aZ_-.=y") }, STS_OK,
	    "a", "unknown-field:1" },
	{ "3.1 name of 32", { LIT("v=STSv1; id=a; " A32 "=y") }, STS_OK, "a",
	    "unknown-field:1" },
	{ "3.1 name of 33", { LIT("v=STSv1; id=a; " A32 "x=y") }, STS_INVALID,
	    "", "!field-syntax:1" },
	{ "3.1 name begins with _", { LIT("v=STSv1; id=a; _x=y") }, STS_INVALID,
	    "", "!field-syntax:1" },
	{ "3.1 name begins with .", { LIT("v=STSv1; id=a; .x=y") }, STS_INVALID,
	    "", "!field-syntax:1" },
	{ "3.1 other byte in a name", { LIT("v=STSv1; id=a; x+=y") },
	    STS_INVALID, "", "!field-syntax:1" },
	{ "3.1 no name", { LIT("v=STSv1; id=a; =y") }, STS_INVALID, "",
	    "!field-syntax:1" },
	{ "3.1 no =", { LIT("v=STSv1; id=a; xy") }, STS_INVALID, "",
	    "!field-syntax:1" },
	{ "3.1 value ! to ~", { LIT("v=STSv1; id=a; x=!:<>~") }, STS_OK, "a",
	    "unknown-field:1" },
	{ "3.1 no value", { LIT("v=STSv1; id=a; x=") }, STS_INVALID, "",
	    "!value-syntax:1" },
	{ "3.1 = in a value", { LIT("v=STSv1; id=a; x=y=z") }, STS_INVALID, "",
	    "!value-syntax:1" },
	{ "3.1 blank in a value", { LIT("v=STSv1; id=a; x=y z") }, STS_INVALID,
	    "", "!value-syntax:1" },
	{ "3.1 DEL in a value", { LIT("v=STSv1; id=a; x=\x7f") }, STS_INVALID,
	    "", "!value-syntax:1" },
	{ "3.1 US-ASCII only", { LIT("v=STSv1; id=a; x=\xc3\xbc") },
	    STS_INVALID, "", "!value-syntax:1" },
	{ "3.1 all problems are told", { LIT("v=STSv1; id=-; x; y=;; z=a b ") },
	    STS_INVALID, "",
	    "!id-syntax:1 !field-syntax:1 !value-syntax:1 !empty-field:1 "
	    "!value-syntax:1 !trailing-blank:1" },
};

static void
table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sts_str in[TXT_MAX];
		struct sts_txt out;
		struct sts_err err = { 0 };
		struct heard h = { 0 };
		size_t n = 0;
		enum sts_rc rc;

		for (; n < TXT_MAX && cases[i].txt[n].p != NULL; n++) {
			in[n].len = cases[i].txt[n].len;
			in[n].p = guard_copy(cases[i].txt[n].p, in[n].len);
		}
		rc = sts_txt_select(&out, in, n, hear, &h, &err);
		ROW(rc == cases[i].rc && strcmp(out.id, cases[i].id) == 0 &&
			strcmp(h.all, cases[i].heard) == 0 && !h.odd,
		    "%s: %s, id \"%s\", heard \"%s\"", cases[i].clause,
		    sts_rc_name(rc), out.id, h.all);
		ROW(err.rc == rc && (err.text[0] == '\0') == (rc == STS_OK),
		    "%s: err %s \"%s\"", cases[i].clause, sts_rc_name(err.rc),
		    err.text);
		ROW(sts_txt_select(&out, in, n, NULL, NULL, NULL) == rc,
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

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
