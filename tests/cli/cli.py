#!/usr/bin/python3 -B
# SPDX-License-Identifier: ISC
"""mtasts(1) from outside: arguments, bytes in, bytes and exit status out.

  cli.py MTASTS

Nothing here asks the network: the cache is a private one, and the worker a
path where there is none.
"""
import json
import os
import pty
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MTASTS = os.path.abspath(sys.argv[1])
HERE = Path(tempfile.mkdtemp(prefix="mtasts-cli-"))
CONF, CACHE = HERE / "conf", HERE / "cache"
ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
GOOD = b"version: STSv1\nmode: enforce\nmx: mx.a.example\nmax_age: 86400\n"
failures = 0


class Ran:
    def __init__(self, argv, stdin=b"", env=None, **kw):
        p = subprocess.run([MTASTS, *argv], input=stdin, env=env or ENV,
                           capture_output=True, timeout=60, check=False, **kw)
        self.rc, self.out, self.err = p.returncode, p.stdout, p.stderr

    def json(self) -> list[dict]:
        return [json.loads(x) for x in self.out.splitlines()]


def check(name: str, good: bool, seen: object = "") -> None:
    global failures
    if isinstance(seen, Ran):
        seen = f"exit {seen.rc}, stdout {seen.out!r}, stderr {seen.err!r}"
    if not good:
        failures += 1
        print(f"not ok - {name}: {str(seen)[:600]}")


# --- usage -------------------------------------------------------------------

# arguments, words of the one line on stderr
USAGE = [
    ([], ["no command", "usage: mtasts"]),
    (["frobnicate"], ["unknown command 'frobnicate'", "usage: mtasts"]),
    (["fro\x1b[31m"], [r"'fro\x1b[31m'", "usage: mtasts"]),
    (["--frob"], ["'--frob'", "usage: mtasts"]),
    (["-x"], ["'-x'", "usage: mtasts"]),
    (["-c"], ["'-c'", "argument"]),
    (["query"], ["no domain", "mtasts [-c FILE] query"]),
    (["query", "--all", "a.example"], ["--all", "query [--fresh]"]),
    (["query", "--json=1", "a.example"], ["--json=1"]),
    (["query", "--frob"], ["'--frob'", "query [--fresh]"]),
    (["cache"], ["cache list|show|purge|refresh"]),
    (["cache", "frob"], ["'cache frob'", "cache list|show|purge|refresh"]),
    (["cache", "list", "x"], ["'x'", "cache list"]),
    (["cache", "show"], ["no domain", "cache show"]),
    (["cache", "purge"], ["cache purge"]),
    (["cache", "purge", "--json"], ["cache purge"]),
    (["cache", "purge", "--all", "--expired"], ["cache purge"]),
    (["cache", "purge", "--all", "a.example"], ["cache purge"]),
    (["cache", "refresh"], ["no domain", "cache refresh"]),
    (["refresh", "a.example"], ["'a.example'", "cache refresh"]),
    (["refresh", "--all"], ["--all", "mtasts [-c FILE] refresh [--json]"]),
    (["report", "--frob"], ["'--frob'", "report [--dry-run]"]),
    (["report", "-x"], ["'-x'", "report [--dry-run]"]),
    (["report", "more"], ["'more'", "report [--dry-run]"]),
    (["report", "--day"], ["'--day'", "argument"]),
    (["report", "--day", "2026-02-30"], ["--day", "yesterday"]),
    (["report", "--day", "2026-2-3"], ["--day", "yesterday"]),
    (["report", "--day", "tomorrow"], ["--day", "yesterday"]),
    (["report", "--day", "today"], ["today", "--print"]),
    (["report", "--domain", "a b"], ["--domain"]),
    (["report", "--domain", "x\x1b[31m"], ["--domain"]),
    (["report", "--frob\x1b[31m"], ["--frob?[31m"]),
    (["report", "--forward", "--print"], ["--forward"]),
    (["report", "--forward", "--day", "yesterday"], ["--forward"]),
    (["-c", "/nonexistent", "report", "--frob"], ["'--frob'"]),
    (["exim-policy"], ["one to four", "exim-policy -- DOMAIN"]),
    (["exim-policy", "--", "a", "b", "c", "d", "e"], ["one to four"]),
    (["exim-policy", "--verify", "a.example"], ["'--verify'"]),
    (["exim-failed"], ["one DOMAIN", "exim-failed -- DOMAIN"]),
    (["lint"], ["lint policy|txt|tlsrpt|mx|config"]),
    (["lint", "polic"], ["'lint polic'", "lint policy|txt|tlsrpt|mx|config"]),
    (["lint", "policy"], ["lint policy"]),
    (["lint", "policy", "a", "b"], ["lint policy"]),
    (["lint", "txt", "x"], ["'x'", "lint txt"]),
    (["lint", "mx", "mx.a.example"], ["lint mx"]),
    (["lint", "config", "a", "b"], ["lint config"]),
]


def usage() -> None:
    for argv, words in USAGE:
        r = Ran(argv)
        err = r.err.decode()
        check(f"usage {argv}", r.rc == 2 and r.out == b"" and
              err.count("\n") == 1 and all(w in err for w in words), r)
    for argv in (["--help"], ["-h"], ["help"], ["cache", "--help"], ["query", "--help"],
                 ["lint", "txt", "--help"], ["report", "--help"],
                 ["-c", "/nonexistent", "report", "-h"],
                 ["report", "--day", "yesterday", "--help"]):
        r = Ran(argv)
        check(f"help {argv}", r.rc == 0 and b"usage:" in r.out and not r.err, r)
    for argv in (["--help"], ["report", "--help"]):
        r = Ran(argv)
        check(f"report in {argv}", b"report [--dry-run] [--print] [--day "
              b"YYYY-MM-DD|yesterday|today] [--domain NAME] | --forward"
              in r.out, r)
    r = Ran(["report", "--help"])
    for word in (b"--status", b"--json", b"--sandbox-test", b"--abi"):
        check(f"report --help has {word}", b"\n  " + word + b" " in r.out, r)
    # What makes sense is up to the configuration.
    for argv in (["--day", "yesterday"], ["--print", "--day", "today"],
                 ["--domain", "A.example."], ["--forward"], []):
        r = Ran(["-c", "/nonexistent", "report", *argv])
        check(f"report {argv}", r.rc == 3 and b"/nonexistent" in r.err, r)
    r = Ran(["--version"])
    check("version", r.rc == 0 and r.out.startswith(b"mtasts "), r)


# --- lint policy -------------------------------------------------------------

# name, body, exit, {key: value} of the JSON object
POLICY = [
    ("valid", GOOD, 0, {"valid": True, "mode": "enforce", "max_age": 86400,
                        "mx": ["mx.a.example"], "problems": []}),
    ("crlf", GOOD.replace(b"\n", b"\r\n"), 0, {"valid": True}),
    ("no end of line", GOOD[:-1], 0, {"valid": True}),
    ("mode none without mx", b"version: STSv1\nmode: none\nmax_age: 60\n", 0,
     {"valid": True, "mode": "none", "mx": []}),
    ("empty", b"", 1, {"valid": False, "mode": None, "max_age": None,
                       "mx": None}),
    ("NUL in a value", GOOD.replace(b"a.example", b"a.example\0x"), 1,
     {"valid": False}),
    ("NUL first", b"\0" + GOOD, 1, {"valid": False}),
    ("NUL behind the end", GOOD + b"\0", 1, {"valid": False}),
    ("invalid UTF-8", GOOD + b"x: \xff\xfe\n", 1, {"valid": False}),
    ("terminal sequence", GOOD + b"\x1b]0;owned\x07: x\n", 1,
     {"valid": False}),
    ("max_age that overflows", GOOD.replace(b"86400", b"4294967297"), 0,
     {"max_age": 31557600}),
    ("64 KiB", GOOD + b"x: " + b"y" * (65536 - len(GOOD) - 4) + b"\n", 0,
     {"valid": True}),
    ("64 KiB and one byte", GOOD + b"x: " + b"y" * (65536 - len(GOOD) - 3)
     + b"\n", 1, {"valid": False}),
    ("10 MB", b"mx: a.example\n" * 714286, 1, {"valid": False}),
    ("10 MB of one line", b"a" * 10_000_000, 1, {"valid": False}),
]


def policy() -> None:
    for name, body, rc, keys in POLICY:
        r = Ran(["lint", "policy", "--json", "-"], body)
        try:
            j, = r.json()
        except ValueError:
            check(f"policy {name}", False, r)
            continue
        good = (r.rc == rc and set(j) == {"valid", "mode", "max_age", "mx",
                                          "problems"} and
                all(j[k] == v for k, v in keys.items()) and
                (j["valid"] or j["problems"]) and
                all(set(p) == {"line", "code", "text"} and p["code"] and
                    p["text"].isprintable() for p in j["problems"]))
        check(f"policy {name}", good, r)
        r = Ran(["lint", "policy", "-"], body)
        check(f"policy as text {name}", r.rc == rc and
              not any(b < 32 and b != 10 or b > 126 for b in r.out), r)
    path = HERE / "policy.txt"
    path.write_bytes(GOOD)
    r = Ran(["lint", "policy", str(path)])
    check("policy file", r.rc == 0 and b"valid, mode enforce" in r.out, r)
    for bad in (str(HERE), str(HERE / "missing")):
        r = Ran(["lint", "policy", bad])
        check(f"policy {bad}", r.rc == 3 and r.err.count(b"\n") == 1, r)


# --- lint txt ----------------------------------------------------------------

# name, input, exit, {key: value}; None: no JSON, a usage error
TXT = [
    ("one", '[["v=STSv1; id=abc;"]]', 0, {"usable": True, "id": "abc",
                                          "problems": []}),
    ("joined", '[["v=STSv1; id=a", "bc;"]]', 0, {"id": "abc"}),
    ("among others", '[["v=spf1 -all"], ["v=STSv1; id=abc"]]', 0,
     {"id": "abc"}),
    ("two", '[["v=STSv1; id=a"], ["v=STSv1; id=b"]]', 1,
     {"usable": False, "id": None}),
    ("none", "[]", 1, {"usable": False, "id": None}),
    ("empty record", "[[]]", 1, {"usable": False}),
    ("empty string", '[[""]]', 1, {"usable": False}),
    ("base64", '[[{"base64": "dj1TVFN2MTsgaWQ9YWJj"}]]', 0, {"id": "abc"}),
    ("base64 padded once", '[[{"base64": "dj1TVFN2MTsgaWQ9YWI="}]]', 0,
     {"id": "ab"}),
    ("base64 padded twice", '[[{"base64": "dj1TVFN2MTsgaWQ9YQ=="}]]', 0,
     {"id": "a"}),
    ("base64 empty", '[["v=STSv1; id=a", {"base64": ""}]]', 0, {"id": "a"}),
    ("base64 high bytes", '[[{"base64": "dj1TVFN2MTsgaWQ9//8="}]]', 1,
     {"usable": False}),
    ("NUL escape", '[["v=STSv1; id=a\\u0000b"]]', 1, {"usable": False}),
    ("NUL in base64", '[["v=STSv1; id=a", {"base64": "AGI="}]]', 1,
     {"usable": False}),
    ("not ASCII", '[["v=STSv1; id=\\u00e4"]]', 1, {"usable": False}),
    ("65536 records", "[" + ",".join(['["x"]'] * 65536) + "]", 1,
     {"usable": False}),
    ("nothing", "", 2, None),
    ("raw NUL", "[[\0]]", 2, None),
    ("object", "{}", 2, None),
    ("number", "[[1]]", 2, None),
    ("flat", '["v=STSv1; id=a"]', 2, None),
    ("null", "[null]", 2, None),
    ("cut off", '[["v=STSv1', 2, None),
    ("more behind", "[] []", 2, None),
    ("bad base64", '[[{"base64": "a"}]]', 2, None),
    ("bad base64 byte", '[[{"base64": "a\\u0000=="}]]', 2, None),
    ("other key", '[[{"base32": "aaaa"}]]', 2, None),
    ("two keys", '[[{"base64": "aaaa", "x": 1}]]', 2, None),
    ("key twice", '[[{"base64": "aaaa", "base64": "aaab"}]]', 2, None),
    ("base64 number", '[[{"base64": 1}]]', 2, None),
    ("deep", "[" * 100_000, 2, None),
    ("deep and closed", "[" * 100_000 + "]" * 100_000, 2, None),
    ("deep objects", '{"a":' * 100_000, 2, None),
    ("over 1 MiB", "[" + " " * (1 << 20) + "]", 2, None),
    ("10 MB", '[["' + "x" * 10_000_000 + '"]]', 2, None),
    ("invalid UTF-8", b'[["\xff"]]', 2, None),
    ("lone surrogate", '[["\\ud800"]]', 2, None),
]


def txt() -> None:
    for name, text, rc, keys in TXT:
        raw = text if isinstance(text, bytes) else text.encode()
        r = Ran(["lint", "txt", "--json"], raw)
        if keys is None:
            check(f"txt {name}", r.rc == rc and not r.out and
                  r.err.count(b"\n") == 1 and b"usage:" in r.err, r)
            continue
        try:
            j, = r.json()
        except ValueError:
            check(f"txt {name}", False, r)
            continue
        check(f"txt {name}", r.rc == rc and
              set(j) == {"usable", "id", "problems"} and
              all(j[k] == v for k, v in keys.items()) and
              (j["usable"] or j["problems"]), r)
        r = Ran(["lint", "txt"], raw)
        check(f"txt as text {name}", r.rc == rc and r.out.isascii(), r)


# What the two have in common is shown with the other one.
TLSRPT = [
    ("one", '[["v=TLSRPTv1; rua=mailto:a@x.example"]]', 0,
     {"usable": True, "rua": ["mailto:a@x.example"], "problems": []}),
    ("joined", '[["v=TLSRPTv1; rua=mailto:a", "@x.example"]]', 0,
     {"rua": ["mailto:a@x.example"]}),
    ("two URIs", '[["v=TLSRPTv1;rua=mailto:a@x.example, https://x.example/r"'
     ']]', 0, {"rua": ["mailto:a@x.example", "https://x.example/r"]}),
    ("one of no use", '[["v=TLSRPTv1;rua=http://x.example,mailto:a@x.example"'
     ']]', 0, {"rua": ["mailto:a@x.example"]}),
    ("no rua", '[["v=TLSRPTv1;"]]', 1, {"usable": False, "rua": []}),
    ("none", "[]", 1, {"usable": False, "rua": []}),
    ("not JSON", "v=TLSRPTv1; rua=mailto:a@x.example", 2, None),
]


def tlsrpt() -> None:
    for name, text, rc, keys in TLSRPT:
        r = Ran(["lint", "tlsrpt", "--json"], text.encode())
        if keys is None:
            check(f"tlsrpt {name}", r.rc == rc and not r.out and
                  b"usage:" in r.err, r)
            continue
        j, = r.json()
        check(f"tlsrpt {name}", r.rc == rc and
              set(j) == {"usable", "rua", "problems"} and
              all(j[k] == v for k, v in keys.items()) and
              (j["usable"] or j["problems"]), r)
        r = Ran(["lint", "tlsrpt"], text.encode())
        check(f"tlsrpt as text {name}", r.rc == rc and
              all(u.encode() in r.out for u in keys["rua"]), r)


# --- lint mx, lint config ------------------------------------------------------

MX = [
    (["mx.a.example", "mx.a.example"], True),
    (["MX.a.example.", "mx.A.example"], True),
    (["mx.a.example", "b.example", "*.a.example"], True),
    (["mx_1.a.example", "*.a.example"], True),
    (["mx_1.a.example", "mx_1.a.example"], False),  # RFC 8461 3.2
    (["a.example", "*.a.example"], False),
    (["x.mx.a.example", "*.a.example"], False),
    (["mx.a.example", "*.example"], False),
    (["mx.a.example", "*"], False),
    (["mx.a.example", ""], False),
    (["", "*.a.example"], False),
    (["mx.a.example\x1b", "*.a.example"], False),
    (["192.0.2.1", "192.0.2.1"], False),
    (["m\u00fc.a.example", "*.a.example"], False),
    (["--", "-mx.a.example", "*.a.example"], False),
    (["a" * 100_000, "*." + "b" * 100_000], False),
]


def mx() -> None:
    for argv, match in MX:
        r = Ran(["lint", "mx", "--json", *argv])
        check(f"mx {argv}"[:90], r.rc == (0 if match else 1) and
              r.json() == [{"match": match}], r)
        r = Ran(["lint", "mx", *argv])
        check(f"mx as text {argv}"[:90], r.rc == (0 if match else 1) and
              r.out.isascii() and b"\x1b" not in r.out, r)


# name, text, exit, line of the first problem
CONFIGS = [
    ("empty", "", 0, None),
    ("comment", "# nothing\n; else\n", 0, None),
    ("keys", "enabled = yes\nrecheck = 2h\ncache_dir = /x\n", 0, None),
    ("unknown key", "\nfrob = 1\n", 1, 2),
    ("bad value", "fetch_timeout = 15\n", 1, 1),
    ("bad section", "enabled = yes\n[frob]\n", 1, 2),
    ("twice", "recheck = 1h\nrecheck = 2h\n", 1, 2),
    ("NUL", "enabled = yes\nrecheck = 1h\0\n", 1, 2),
    ("control bytes", "fr\x1b[31mob = 1\n", 1, 1),
]


def config() -> None:
    path = HERE / "lint.conf"
    for name, text, rc, line in CONFIGS:
        path.write_text(text)
        for argv in (["lint", "config", "--json", str(path)],
                     ["-c", str(path), "lint", "config", "--json"]):
            r = Ran(argv)
            j = (r.json() or [{}])[0]
            good = r.rc == rc and set(j) == {"valid", "problems"} and \
                j["valid"] == (rc == 0)
            if good and line:
                good = j["problems"][0]["line"] == line and \
                    str(path) not in j["problems"][0]["text"]
            check(f"config {name}", good, r)
        r = Ran(["lint", "config", str(path)])
        check(f"config as text {name}", r.rc == rc and b"\x1b" not in r.out, r)
    r = Ran(["lint", "config", str(HERE / "missing")])
    check("config missing", r.rc == 3 and b"missing" in r.err, r)


# --- query and cache with a private cache ---------------------------------------

def write_conf(more: str = "") -> None:
    new = CONF.with_suffix(".new")
    new.write_text(f"cache_dir = {CACHE}\nworker_dir = {HERE}/none\n{more}")
    new.rename(CONF)  # one that is written in place may not be complete


def private_cache() -> None:
    """A directory of our own; root cannot own one, so it gives it away."""
    HERE.chmod(0o755)
    CACHE.mkdir(mode=0o750)
    if os.geteuid() == 0:
        os.chown(CACHE, 65534, 65534)
    write_conf()


def query() -> None:
    c = ["-c", str(CONF)]
    keys = {"domain", "verdict", "mode", "id", "mx", "max_age", "fetched",
            "checked", "expires", "source", "why", "outbound_443_blocked"}
    r = Ran([*c, "query", "--json", "[192.0.2.1]", "a_b.example"])
    j = r.json()
    check("query without a policy", r.rc == 1 and len(j) == 2 and
          all(set(x) == keys and x["verdict"] == "none" and x["mode"] is None
              and x["mx"] == [] and x["expires"] is None and
              x["source"] == "config" for x in j), r)
    r = Ran([*c, "query", "--json", "a.example"])
    j = (r.json() or [{}])[0]
    check("query without a worker", r.rc == 3 and
          set(j) == {"domain", "error"} and "mtasts-fetch-" in j["error"],
          r)
    r = Ran([*c, "query", "a.example", "[192.0.2.1]"])
    check("the worst of two counts", r.rc == 3 and b"no policy in force" in r.out and
          r.err.startswith(b"mtasts: a.example: "), r)
    for arg in ("", "u@a.example", b"\xff.example", "a\u202eb.example"):
        r = Ran([*c, "query", "--json", arg])
        j = (r.json() or [{}])[0]
        check(f"query {arg!r}", r.rc == 2 and set(j) == {"domain", "error"}, r)
        r = Ran([*c, "query", arg])
        check(f"query as text {arg!r}", r.rc == 2 and not r.out and
              r.err.isascii(), r)
    write_conf("enabled = no\n")
    r = Ran([*c, "query", "--json", "B\u00fccher.example"])
    j = (r.json() or [{}])[0]
    check("U-label", r.rc == 1 and j.get("domain") == "xn--bcher-kva.example"
          and j.get("unicode") == "b\u00fccher.example" and r.out.isascii(), r)
    r = Ran([*c, "query", "B\u00fccher.example"])
    check("U-label as text", r.out.startswith(
        "xn--bcher-kva.example (b\u00fccher.example): no policy in force".encode()), r)
    r = Ran(["query", "-c", "conf", "A.example."], cwd=HERE)
    check("relative -c, behind the command", r.rc == 1 and
          b"enabled = no" in r.out and b"\x1b" not in r.out, r)
    write_conf("frob = 1\n")
    r = Ran([*c, "query", "a.example"])
    check("broken configuration", r.rc == 3 and b"conf:3:" in r.err, r)
    r = Ran(["-c", str(HERE / "missing"), "query", "--json", "a.example"])
    check("missing configuration", r.rc == 3 and "error" in r.json()[0], r)
    write_conf('[domain "pin.example"]\nmx = mx.pin.example *.b.example\n')
    r = Ran([*c, "query", "--json", "pin.example"])
    j = (r.json() or [{}])[0]
    check("pinned", r.rc == 0 and j.get("verdict") == "policy" and
          j.get("mode") == "enforce" and j.get("source") == "config" and
          j.get("mx") == ["mx.pin.example", "*.b.example"], r)
    write_conf()


# arguments of exim-policy behind "--", exit, what the one line is or has in it
EXIM = [
    (["pin.example"], 0, r'sts=enforce ignore="! ^(?i)mx\\.pin\\.example$ : '
     r'! ^(?i)[a-z0-9_-]+\\.b\\.example$ : *"'),
    (["pin.example", "0 s@a.example", "1xXx2K-0001Pp-0P", ""], 0, "sts=enforce "),
    (["pin.example", "", "", "R"], 0, "sts=enforce "),
    ([""], 0, 'sts=none ignore=""'),
    (["[192.0.2.1]"], 0, 'sts=none ignore=""'),
    (["--help"], 0, 'sts=none ignore=""'),
    (["-c/etc/passwd"], 0, 'sts=none ignore=""'),
    (['$domain " : *'], 0, 'sts=none ignore=""'),
    (["\U0001F600.example"], 0, 'sts=none ignore=""'),
    (["a.example"], 3, "mtasts: a.example: cannot start "),
    (["B\u00fccher.example"], 3, "mtasts: xn--bcher-kva.example: "),
    (["a.example", "", "", "R"], 0, 'sts=wait ignore="" why="'),
]


def exim() -> None:
    cache, conf = HERE / "cache-exim", HERE / "conf-exim"
    cache.mkdir(0o750)
    if os.geteuid() == 0:
        os.chown(cache, 65534, 65534)
    conf.write_text(f"cache_dir = {cache}\nworker_dir = /nonexistent\n"
                    '[domain "pin.example"]\nmx = mx.pin.example *.b.example\n')
    c = ["-c", str(conf)]
    for argv, rc, want in EXIM:
        r = Ran([*c, "exim-policy", "--", *argv])
        line = r.out.decode()
        check(f"exim-policy {argv}", r.rc == rc and not r.err and
              line.startswith(want) and line.count("\n") == 1 and
              line.endswith("\n"), r)
    r = Ran([*c, "exim-failed", "--", "pin.example"])
    check("exim-failed", r.rc == 0 and not r.out and not r.err, r)
    with open("/dev/full", "wb") as full:
        p = subprocess.run([MTASTS, *c, "exim-policy", "--", ""], env=ENV,
                           check=False, stdout=full, stderr=subprocess.PIPE)
    check("exim-policy, nobody hears it", p.returncode == 3, p.stderr)
    (HERE / "conf-broken").write_text("frob = 1\n")
    c = ["-c", str(HERE / "conf-broken")]
    r = Ran([*c, "exim-policy", "--", "pin.example"])
    check("exim-policy, broken configuration", r.rc == 3 and
          r.out.startswith(b"mtasts: ") and b"conf-broken:1:" in r.out, r)
    r = Ran([*c, "exim-failed", "--", "pin.example"])
    check("exim-failed, broken configuration", r.rc == 3 and not r.out, r)


def planted() -> None:
    """An entry nobody wrote; as with all odd ones, absent but visible."""
    for n in range(256):
        d = CACHE / f"{n:02x}"
        d.mkdir()
        (d / "odd.example").write_bytes(b"garbage\x1b[31m\n")
        if os.geteuid() == 0:
            os.chown(d, 65534, 65534)
            os.chown(d / "odd.example", 65534, 65534)
    r = Ran(["-c", str(CONF), "cache", "list", "--json"])
    check("a broken entry is listed once, in its own directory", r.rc == 0 and
          [(x["domain"], x["kind"]) for x in r.json()] ==
          [("odd.example", "broken")], r)


def cache() -> None:
    c = ["-c", str(CONF)]
    r = Ran([*c, "cache", "list"])
    check("empty list", r.rc == 0 and r.out == b"", r)
    for command in ("show", "purge"):
        r = Ran([*c, "cache", command, "--json", "a.example"])
        check(f"{command} what is not there", r.rc == 1 and
              set(r.json()[0]) == {"domain", "error"}, r)
        r = Ran([*c, "cache", command, "u@a.example", "a.example"])
        check(f"{command} a mail address", r.rc == 2, r)
    r = Ran([*c, "cache", "refresh", "a.example"])
    check("refresh without a worker", r.rc == 3 and b"mtasts-fetch-" in r.err,
          r)
    r = Ran([*c, "refresh", "--json"])
    check("refresh of nothing", r.rc == 0 and not r.err and r.json() ==
          [{"refreshed": 0, "failed": 0, "left": 0, "removed": 0,
            "outbound_443_blocked": None}], r)
    planted()
    r = Ran([*c, "refresh"])
    check("a broken entry is nothing to refresh", r.rc == 0 and r.out ==
          b"0 refreshed, 0 not refreshed, 0 left for the next run, 0 removed\n",
          r)
    r = Ran([*c, "cache", "show", "odd.example"])
    check("show a broken one", r.rc == 0 and b"broken" in r.out and
          b"\x1b" not in r.out, r)
    r = Ran([*c, "cache", "purge", "--json", "odd.example"])
    check("purge it", r.rc == 0 and
          r.json() == [{"domain": "odd.example", "removed": True}], r)
    r = Ran([*c, "cache", "purge", "--expired", "--json"])
    check("purge --expired", r.rc == 0 and r.json() == [{"removed": 0}], r)
    r = Ran([*c, "cache", "purge", "--all"])
    check("purge --all", r.rc == 0 and r.out == b"0 removed\n", r)
    CONF.write_text(f"cache_dir = {HERE}/missing\n")
    for argv in (["list"], ["show", "a.example"], ["purge", "--all"],
                 ["purge", "--expired"], ["refresh", "a.example"]):
        r = Ran([*c, "cache", *argv])
        check(f"no cache: {argv}", r.rc == 3 and b"missing" in r.err, r)
    r = Ran([*c, "refresh"])
    check("no cache to refresh", r.rc == 3 and b"missing" in r.err, r)
    write_conf()


# --- output ------------------------------------------------------------------

def output() -> None:
    argv = [MTASTS, "lint", "mx", "mx.a.example", "*.a.example"]
    with open("/dev/full", "wb") as full:
        p = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, env=ENV,
                           check=False)
    check("full device", p.returncode == 3 and b"No space" in p.stderr, p)
    rd, wr = os.pipe()
    os.close(rd)
    p = subprocess.run(argv, stdout=wr, stderr=subprocess.PIPE, env=ENV,
                       check=False)
    os.close(wr)
    check("closed pipe", p.returncode == 3 and b"Broken pipe" in p.stderr, p)
    p = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *argv], env=ENV,
                       stderr=subprocess.PIPE, check=False)
    check("closed stdout", p.returncode == 3 and b"Bad file" in p.stderr, p)
    p = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", MTASTS, "lint",
                        "txt"], env=ENV, capture_output=True, check=False)
    check("closed stdin", p.returncode == 3 and b"standard input" in p.stderr,
          p)


def on_terminal(env: dict) -> bytes:
    main, side = pty.openpty()
    p = subprocess.Popen([MTASTS, "lint", "mx", "mx.a.example", "a.example"],
                         stdin=subprocess.DEVNULL, stdout=side, stderr=side,
                         env=ENV | env)
    p.wait(timeout=60)
    os.close(side)
    out = os.read(main, 4096)
    os.close(main)
    return out


def terminal() -> None:
    check("colour", b"\x1b[" in on_terminal({"TERM": "xterm"}))
    for env in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {}):
        out = on_terminal(env)
        check(f"no colour with {env}", b"\x1b" not in out and out, out)


def main() -> int:
    try:
        for part in (usage, policy, txt, tlsrpt, mx, config, private_cache,
                     query, exim, cache, output, terminal):
            part()
    finally:
        shutil.rmtree(HERE)
    print(f"{failures} failures" if failures else "all good")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
