#!/usr/bin/python3 -B
# SPDX-License-Identifier: ISC
"""mtasts-report against a real DNS, a real HTTPS receiver, and a sendmail.

  reports.py [--build DIR] [WORD...]   all rows, or those whose name has a word

Every report that leaves is judged by rfc8460.py, which shares no code with
the product.  One line of verdict per row, and at the end "N passed, N
failed".  Status 0: all passed; 1: some failed; 2: no world.
"""
import base64
import json
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "world"))

import ca
import dns
import net
import rfc8460
import rows

OWNER = 65534
CONTACT = "tls-reports@sender.test"
SENDER = "mtasts-reports@sender.test"  # the default
HOOK = "198.18.1.40"  # takes reports
NGINX = "198.18.1.43"  # so does this
SILENT = "198.18.1.44"  # takes connections, and says nothing
POSTED = net.ROOT / "posted"
# What a collector's answer is, RFC 9110 15.
FINAL = (400, 401, 403, 405, 410, 413, 415, 422, 501)
AGAIN = (404, 408, 429, 500, 502, 503)
POLICY = "version: STSv1\nmode: enforce\nmx: mx1.{d}\nmx: *.{d}\n" \
         "max_age: 86400\n"

# Reports become files; the second server is there to make nginx read them.
NGINX_CONF = """
pid {dir}/nginx.pid; error_log {dir}/nginx.err; user root;
events {{ }}
http {{
  log_format j escape=json '{{"host":"$host","request":"$request",'
    '"type":"$content_type","file":"$request_body_file"}}';
  client_body_temp_path {dir}/tmp; proxy_temp_path {dir}/tmp;
  fastcgi_temp_path {dir}/tmp; uwsgi_temp_path {dir}/tmp;
  scgi_temp_path {dir}/tmp;
  server {{
    listen {addr}:443 ssl;
    ssl_certificate {cert}.pem; ssl_certificate_key {cert}.key;
    access_log {dir}/nginx.log j;
    client_body_in_file_only on;
    location / {{ proxy_pass http://{addr}:8080; }}
  }}
  server {{ listen {addr}:8080; access_log off; return 202; }}
}}
"""

# Keeps what it was given.  FAIL, KILL and ORPHAN are files that a row makes: to
# kill the reporter, or its process that started this.
SENDMAIL = """#!/bin/sh
dir={dir}
[ ! -e $dir/FAIL ] || {{ cat >/dev/null; exit 75; }}
cat >$dir/$$.part
printf '%s\\n' "$@" >$dir/$$.args
mv $dir/$$.part $dir/$$.eml
[ ! -e $dir/KILL ] || {{ rm $dir/KILL; kill -9 $(ps -o ppid= -p $PPID); }}
rm $dir/ORPHAN 2>/dev/null && kill -9 $PPID || :
"""


def day(ago: int) -> str:
    t = datetime.now(timezone.utc) - timedelta(days=ago)
    return t.strftime("%Y-%m-%d")


def noon(ago: int) -> int:
    return int(datetime.fromisoformat(day(ago) + "T12:00:00+00:00")
               .timestamp())


def escape(raw: bytes) -> str:
    return "".join(chr(c) if 32 <= c < 127 and c != 37 else f"%{c:02X}"
                   for c in raw)


def session(domain: str, result: str = "ok", *, kind: str = "sts",
            policy: str = "1", mode: str = "enforce", ago: int = 1,
            source: str = "198.18.0.2", mx: str = "", helo: bytes = b"",
            ip: str = "", reason: bytes = b"") -> str:
    """A line of the spool, as the adapters write it."""
    return "\t".join([
        "2", str(noon(ago)), domain, kind, mode, policy, result, source, mx,
        escape(helo), ip, escape(reason), ""])


def put_session(build: Path, spool: Path, domain: str, mx: str, der: bytes,
                count: int = 1, reason: str = "") -> None:
    """Sessions whose certificate was refused, by the adapters' own code."""
    p = subprocess.run(
        [str(build / "tests/edges/putsession"), str(spool), str(noon(1)),
         domain, mx, reason, str(count)], input=der, capture_output=True,
        check=False, user=OWNER, group=OWNER, extra_groups=[])
    assert p.returncode == 0, p.stderr


def certificate(names: list[str], kind: str = "good") -> bytes:
    """DER."""
    pem = (ca.DIR / f"{ca.cert(names, kind)}.pem").read_text()
    return base64.b64decode("".join(pem.splitlines()[1:-1]))


class Host:
    """A mail server's spool, cache and configuration, and its sendmail."""
    count = 0

    def __init__(self, build: Path, *, more: str = "",
                 contact: bool = True, on: "Host | None" = None) -> None:
        Host.count += 1
        self.build = build
        self.dir = on.dir if on else net.ROOT / f"host{Host.count}"
        self.spool, self.cache = self.dir / "spool", self.dir / "cache"
        self.mail = self.dir / "mail"
        for d in (self.dir, self.spool, self.cache, self.mail):
            d.mkdir(mode=0o750, exist_ok=True)
            shutil.chown(d, OWNER, OWNER)
        prog = self.dir / "sendmail"
        prog.write_text(SENDMAIL.format(dir=self.mail))
        prog.chmod(0o755)
        self.dir.chmod(0o755)
        self.conf = self.dir / f"conf{Host.count}"
        self.conf.write_text(
            f"cache_dir = {self.cache}\ndns_timeout = 3s\n[report]\n"
            + (f"contact = {CONTACT}\n" if contact else "")
            + f"spool_dir = {self.spool}\nsendmail = {prog}\njitter = 0s\n"
            + more)

    def add(self, *lines: str, ago: int = 1, raw: bytes = b"") -> None:
        path = self.spool / day(ago)
        with path.open("ab") as f:
            f.write("".join("\n" + x + "\n" for x in lines).encode() + raw)
        shutil.chown(path, OWNER, OWNER)

    def run(self, *args: str, later: str = "", host: str = "mx.sender.test",
            sort: str = "", before: str = ":") -> subprocess.CompletedProcess:
        """sort: what is to be /usr/bin/sort meanwhile, a script; before: what
        the shell does that starts the program."""
        prog = self.build / "modules/report/mtasts-report"
        env = {"PATH": "/usr/bin:/bin", "ASAN_OPTIONS": "detect_leaks=0"}
        # Not for the programs before: another user's could not share it.
        when = [f"{k}={v}" for k, v in net.clock(later).items()] \
            if later else []
        other = ""
        if sort:
            (self.dir / "sort").write_text(f"#!/bin/sh\n{sort}\n")
            (self.dir / "sort").chmod(0o755)
            shutil.copy("/usr/bin/sort", self.dir / "sort.true")
            other = f"mount --bind {self.dir}/sort /usr/bin/sort && "
        return subprocess.run(
            ["unshare", "--uts", "--mount", "sh", "-c",
             f'hostname {host}; {other}{{ {before}; }} && exec setpriv --reuid={OWNER} '
             f'--regid={OWNER} --clear-groups env "$@"', "sh", *when,
             str(prog), "-c", str(self.conf), *args],
            env=env, text=True, capture_output=True, check=False, timeout=300)

    def mails(self) -> list[tuple[list[str], bytes]]:
        return [(p.with_suffix(".args").read_text().splitlines(),
                 p.read_bytes())
                for p in sorted(self.mail.glob("*.eml"),
                                key=lambda p: int(p.stem))]

    def states(self) -> Counter:
        """How many destinations there are in each state."""
        return Counter(line.split()[0] for p in (self.spool / "out").iterdir()
                       if "~" in p.name.strip("~") and not p.name.endswith("~gz")
                       for line in p.read_text().splitlines()[1:])

    def status(self) -> dict:
        r = self.run("--status", "--json")
        assert r.returncode == 0, r
        return json.loads(r.stdout)

    def state(self, domain: str, ago: int = 1) -> list[str]:
        p = self.spool / "out" / f"{day(ago)}~{domain}"
        return p.read_text().splitlines()[1:] if p.exists() else []

    def put_session(self, *args, **more) -> None:
        put_session(self.build, self.spool, *args, **more)

    def put_policy(self, domain: str, policy_id: str = "1", *was: str,
                   text: str = POLICY) -> str:
        """What the worker would have cached; the text of the policy."""
        text = text.format(d=domain)
        p = subprocess.run(
            [str(self.build / "tests/edges/putpolicy"), str(self.cache), domain,
             policy_id, *was], input=text.encode("latin-1"),
            capture_output=True, check=False, user=OWNER, group=OWNER, extra_groups=[])
        assert p.returncode == 0, p.stderr
        return text


def wants(domain: str, *records: str) -> None:
    dns.set_records({f"_smtp._tls.{domain}": [dns.txt(r) for r in records]})


def posted(since: float) -> list[dict]:
    out = []
    for p in sorted(POSTED.glob("*.json"), key=lambda p: p.stat().st_mtime):
        j = json.loads(p.read_text())
        if j["t"] >= since:
            out.append(j)
    return out


def one_mail(h: Host, to: str) -> rfc8460.Judge:
    """Exactly one mail went out, it is right in every respect."""
    mails = h.mails()
    assert len(mails) == 1, [m[0] for m in mails]
    args, raw = mails[0]
    assert args == ["-i", "-f", SENDER, "--", to], args
    j = rfc8460.judge_mail(raw, to)
    assert not j.faults, "\n".join(j.faults)
    return j


ROWS = []


def row(name: str):
    def add(fn):
        ROWS.append((name, fn))
        return fn
    return add


# --- What is in a report -------------------------------------------------------

@row("RFC 8460 4.4 successes and failures of a day, by mail")
def day_of_all(new):
    h = new()
    wants("a1.test", "v=TLSRPTv1; rua=mailto:tls@a1.test")
    text = h.put_policy("a1.test", "one")
    h.add(*[session("a1.test", policy="one", mx="mx1.a1.test")] * 5,
          *[session("a1.test", "starttls-not-supported", policy="one",
                    mx="mx1.a1.test", helo=b"mx1.a1.test", ip="198.18.128.9",
                    reason=b"no STARTTLS")] * 3,
          session("a1.test", "validation-failure", policy="one",
                  mx="mx2.a1.test", ip="2001:db8:25::1"),
          session("a1.test", kind="no-policy-found", mode="none", policy=""))
    r = h.run()
    assert r.returncode == 0, r
    j = one_mail(h, "tls@a1.test")
    by = {p["policy"]["policy-type"]: p for p in j.body["policies"]}
    sts = by["sts"]
    assert sts["policy"]["policy-string"] == text.splitlines(), sts
    assert sts["policy"]["mx-host"] == ["mx1.a1.test", "*.a1.test"], sts
    assert sts["summary"] == {"total-successful-session-count": 5,
                              "total-failure-session-count": 4}, sts
    assert {"result-type": "starttls-not-supported",
            "sending-mta-ip": "198.18.0.2",
            "receiving-mx-hostname": "mx1.a1.test",
            "receiving-mx-helo": "mx1.a1.test",
            "receiving-ip": "198.18.128.9", "failed-session-count": 3,
            "failure-reason-code": "no STARTTLS"} in sts["failure-details"]
    assert by["no-policy-found"]["summary"][
        "total-successful-session-count"] == 1
    assert j.body["date-range"]["start-datetime"] == \
        f"{day(1)}T00:00:00Z"
    h.run()
    assert len(h.mails()) == 1, "sent twice"


@row("RFC 8460 4 DANE and MTA-STS where the domain is its own MX host: two entries")
def two_policies(new):
    h = new()
    wants("a9.test", "v=TLSRPTv1; rua=mailto:tls@a9.test")
    dns.set_records({"_25._tcp.a9.test": [f"TLSA 3 1 1 {'0aF5' * 16}",
                                          f"TLSA 2 0 2 {'00' * 64}"]})
    h.put_policy("a9.test")
    h.add(session("a9.test"), session("a9.test", kind="tlsa", mode="none",
                                      policy="", mx="a9.test"),
          *[session("a9.test", word, kind="tlsa", mode="none", policy="",
                    mx="a9.test") for word in (
              "tlsa-invalid", "dnssec-invalid", "dane-required")])
    h.run()
    j = one_mail(h, "tls@a9.test")
    by = {p["policy"]["policy-type"]: p for p in j.body["policies"]}
    assert set(by) == {"sts", "tlsa"}, by
    assert sorted(by["tlsa"]["policy"]["policy-string"]) == [
        "2 0 2 " + "00" * 64, "3 1 1 " + "0AF5" * 16], by
    assert by["tlsa"]["summary"] == {"total-successful-session-count": 1,
                                     "total-failure-session-count": 3}, by
    assert len(by["sts"]["policy"]["policy-string"]) == 5, by


@row("RFC 8460 4.4 DANE: TLSA records that are gone, that cannot be had")
def tlsa_gone(new):
    h = new()
    for d in ("a10.test", "a11.test"):
        wants(d, f"v=TLSRPTv1; rua=mailto:tls@{d}")
        h.add(session(d, kind="tlsa", mode="none", policy="", mx=d))
    dns.set_records({"_tcp.a11.test": ["NS servfail.badns.test."]})
    r = h.run()
    assert r.returncode == 0, r
    assert len(h.mails()) == 2, len(h.mails())
    for _, raw in h.mails():
        j = rfc8460.judge_mail(raw)
        assert not j.faults, j.faults
        assert j.body["policies"][0]["policy"]["policy-string"] == []


@row("RFC 8460 4.4 a policy that the cache does not have any more")
def policy_gone(new):
    h = new()
    wants("a2.test", "v=TLSRPTv1; rua=mailto:tls@a2.test")
    h.put_policy("a2.test", "two")
    h.add(session("a2.test", policy="one"), session("a2.test", policy="two"))
    h.run()
    j = one_mail(h, "tls@a2.test")
    texts = sorted(len(p["policy"]["policy-string"])
                   for p in j.body["policies"])
    assert texts == [0, 5], j.body


@row("RFC 8460 4.4 policies that the cache has set aside, the last four")
def policy_was(new):
    h = new()
    wants("a12.test", "v=TLSRPTv1; rua=mailto:tls@a12.test")
    texts = {i: h.put_policy("a12.test", i, "was",
                             text=f"{POLICY}x-{i}: y\n")
             for i in ("a", "b", "c", "d", "e")}
    texts["f"] = h.put_policy("a12.test", "f")
    for n, i in enumerate("abcdef"):
        h.add(*[session("a12.test", policy=i)] * (n + 1))
    h.run()
    j = one_mail(h, "tls@a12.test")
    for p in j.body["policies"]:
        n = p["summary"]["total-successful-session-count"]
        wanted = texts["abcdef"[n - 1]].splitlines() if n > 1 else []
        assert p["policy"]["policy-string"] == wanted, (n, p)
        assert p["policy"].get("mx-host") == \
            (["mx1.a12.test", "*.a12.test"] if n > 1 else None), p


@row("RFC 8460 4.3.1 what was wrong with a certificate is found out from it")
def certificates(new):
    h = new()
    wants("a3.test", "v=TLSRPTv1; rua=mailto:tls@a3.test")
    for mx, names, kind in (
            ("mx1.a3.test", ["other.test"], "good"),
            ("mx2.a3.test", ["mx2.a3.test"], "expired"),
            ("mx3.a3.test", ["mx3.a3.test"], "self-signed"),
            ("mx4.a3.test", ["mx4.a3.test"], "good")):
        for _ in range(2):
            h.put_session("a3.test", mx, certificate(names, kind))
    h.put_session("a3.test", "mx5.a3.test", b"\x30\x03\x02\x01")
    h.run()
    j = one_mail(h, "tls@a3.test")
    rows = {r["receiving-mx-hostname"]: r
            for r in j.body["policies"][0]["failure-details"]}
    got = {mx: r["result-type"] for mx, r in rows.items()}
    assert got == {"mx1.a3.test": "certificate-host-mismatch",
                   "mx2.a3.test": "certificate-expired",
                   "mx3.a3.test": "certificate-not-trusted",
                   "mx4.a3.test": "validation-failure",
                   "mx5.a3.test": "validation-failure"}, got
    assert rows["mx3.a3.test"].get("failure-reason-code"), "4.3.1: a reason"
    assert all(r["failed-session-count"] == 2 for mx, r in rows.items()
               if mx != "mx5.a3.test"), rows


@row("86,000 failures of one domain, each with another certificate")
def flood(new):
    h = new()
    for d in ("a15.test", "a16.test"):
        wants(d, f"v=TLSRPTv1; rua=mailto:tls@{d}")
    leaf = certificate(["mx.a16.test"], "expired")
    h.put_session("a16.test", "mx.a16.test", leaf)
    h.put_session("a15.test", "mx.a15.test", b"\0" * 8192, 86000)
    h.put_session("a16.test", "mx.a16.test", leaf)
    h.add(*[session("a16.test")] * 100)
    assert h.run().returncode == 0
    by = {a[-1]: rfc8460.judge_mail(raw) for a, raw in h.mails()}
    assert not any(j.faults for j in by.values())
    quiet = by["tls@a16.test"].body["policies"][0]
    assert quiet["summary"] == {"total-successful-session-count": 100,
                                "total-failure-session-count": 2}, quiet
    assert [r["result-type"] for r in quiet["failure-details"]] == [
        "certificate-expired"], quiet
    loud = by["tls@a15.test"].body["policies"][0]
    assert loud["summary"]["total-failure-session-count"] == 86000, loud
    beside = list(h.spool.glob(f"{day(1)}~certs/*"))
    assert len(beside) == 65 and \
        sum(p.stat().st_size for p in beside) < 1 << 20, len(beside)


@row("hostile words, lines that are none, half a line at the end")
def hostile(new):
    h = new()
    wants("a4.test", "v=TLSRPTv1; rua=mailto:tls@a4.test")
    h.add(session("a4.test", "validation-failure", mx="mx.a4.test",
                  helo=bytes(range(256))[:80], reason=b"\xff\xfe\"\\\n\r\0"),
          "garbage", "2\tx\ty", "\t" * 12,
          raw=b"\n\xff\xfe\0\n" + b"x" * 100000 + b"\n")
    h.add(session("a4.test"), raw=session("a4.test").encode()[:40])
    r = h.run()
    assert r.returncode == 0, r
    j = one_mail(h, "tls@a4.test")
    s = j.body["policies"][0]["summary"]
    assert s == {"total-successful-session-count": 1,
                 "total-failure-session-count": 1}, s


@row("RFC 8460 7 a hundred ways to fail at most, the rest in sum")
def many_rows(new):
    h = new()
    wants("a5.test", "v=TLSRPTv1; rua=mailto:tls@a5.test")
    h.add(*[session("a5.test", "validation-failure",
                    helo=f"h{i}.a5.test".encode()) for i in range(500)])
    h.run()
    j = one_mail(h, "tls@a5.test")
    p = j.body["policies"][0]
    assert p["summary"]["total-failure-session-count"] == 500
    assert sum(r["failed-session-count"] for r in p["failure-details"]) == 500
    assert len(p["failure-details"]) <= 112, len(p["failure-details"])


@row("RFC 8460 4.2.1 success alone: reported, or not where so configured")
def success(new):
    wants("a6.test", "v=TLSRPTv1; rua=mailto:tls@a6.test")
    h = new()
    h.add(session("a6.test"))
    h.run()
    one_mail(h, "tls@a6.test")
    h = new(more="success = no\n")
    h.add(session("a6.test"), session("a6.test", ago=2), ago=1)
    h.run()
    assert not h.mails(), h.mails()


@row("today is not over")
def today(new):
    h = new()
    wants("a7.test", "v=TLSRPTv1; rua=mailto:tls@a7.test")
    h.add(session("a7.test", ago=0), ago=0)
    assert h.run().returncode == 0
    assert not h.mails()
    assert (h.spool / day(0)).exists()
    h.run(later="+1d")
    one_mail(h, "tls@a7.test")


@row("RFC 8460 4.5, RFC 7493 2.1 a policy that is no UTF-8")
def not_utf8(new):
    h = new()
    wants("a13.test", "v=TLSRPTv1; rua=mailto:tls@a13.test")
    text = h.put_policy("a13.test", text=POLICY + "x: \xff\xc3(\nx: \u00c3\u00a9\n")
    h.add(session("a13.test"))
    assert h.run().returncode == 0
    j = one_mail(h, "tls@a13.test")
    told = j.body["policies"][0]["policy"]["policy-string"]
    assert told == text.splitlines()[:5] + ["(not UTF-8)", "x: \u00e9"], told


@row("a million sessions of ten thousand domains, in time")
def million(new):
    h = new()
    wants("n7.test", "v=TLSRPTv1; rua=mailto:tls@n7.test")
    some = "".join(session(f"n{i}.test", mx=f"mx.n{i}.test") + "\n"
                   for i in range(10000)).encode()
    h.add(raw=some * 100)
    h.add(session("n7.test", "validation-failure"))
    began = time.monotonic()
    r = h.run("--domain", "n7.test")
    took = time.monotonic() - began
    assert r.returncode == 0 and took < 30, (took, r)
    j = one_mail(h, "tls@n7.test")
    assert j.body["policies"][0]["summary"] == {
        "total-successful-session-count": 100,
        "total-failure-session-count": 1}, j.body


@row("sort(1) that fails, dies, keeps lines: no report is short, the day is made later")
def bad_sort(new):
    h = new()
    names = [f"s{i}.test" for i in range(1, 5)]
    for d in names:
        wants(d, f"v=TLSRPTv1; rua=mailto:tls@{d}")
    for i in range(50):
        h.add(*[session(d, mx=f"{i}.{d}") for d in names])
    h.add(*[session(names[0], ago=2)], ago=2)
    true = f"{h.dir}/sort.true \"$@\""
    for script in ("echo no room >&2; exit 2", f"{true} | head -n 70; exit 2",
                   f"{true} | head -n 70; kill -9 $$", f"{true} | head -n 70",
                   f"{true} | head -c 5000", "exec sleep 0"):
        r = h.run(sort=script)
        assert r.returncode == 3, (script, r)
        for _, raw in h.mails():
            j = rfc8460.judge_mail(raw)
            assert not j.faults, j.faults
            start = j.body["date-range"]["start-datetime"]
            whole = 50 if start.startswith(day(1)) else 1
            assert j.body["policies"][0]["summary"][
                "total-successful-session-count"] == whole, (script, j.body)
        assert not (h.spool / "out" / f"{day(1)}~").exists(), script
    assert h.run().returncode == 0
    assert (h.spool / "out" / f"{day(1)}~").exists()
    mails = [(rfc8460.judge_mail(raw).body["date-range"]["start-datetime"]
              [:10], a[-1]) for a, raw in h.mails()]
    assert sorted(mails) == sorted(
        [(day(2), "tls@s1.test")] + [(day(1), f"tls@{d}") for d in names])
    h = new()
    h.add(*[session(d) for d in ("s1.test", "s2.test", "s1.test")])
    assert h.run(sort="cat").returncode == 3, "one that does not sort"


@row("no room to sort a large day: other days are made, and that one later")
def no_room(new):
    h = new()
    for d in ("n8.test", "n9.test"):
        wants(d, f"v=TLSRPTv1; rua=mailto:tls@{d}")
    net.tmpfs(h.spool, "64m", 0o750)
    shutil.chown(h.spool, OWNER, OWNER)
    h.add(*[session("n8.test")] * 10, ago=2)
    h.add(raw=(session("n9.test") + "\n").encode() * 500000)
    filler = h.spool / "filler"
    with filler.open("wb") as f:
        f.write(b"x" * (20 << 20))
    assert h.run().returncode == 3
    assert [a[-1] for a, _ in h.mails()] == ["tls@n8.test"]
    assert not list(h.spool.glob("~sort*"))
    filler.unlink()
    assert h.run().returncode == 0
    assert sorted(a[-1] for a, _ in h.mails()) == ["tls@n8.test",
                                                   "tls@n9.test"]
    assert not list(h.spool.glob("~sort*"))


@row("the clock set back and forth: each day once, and none too soon")
def clock_change(new):
    h = new()
    wants("a14.test", "v=TLSRPTv1; rua=mailto:tls@a14.test")
    h.add(session("a14.test", ago=2), ago=2)
    h.add(session("a14.test"))
    for later, sent in (("-3d", 0), ("-1d", 1), ("-2d", 1), ("", 2),
                        ("-1d", 2), ("+1d", 2), ("-20d", 2), ("", 2)):
        r = h.run(later=later)
        assert r.returncode == 0, (later, r)
        assert len(h.mails()) == sent, (later, len(h.mails()))
    days = sorted(rfc8460.judge_mail(raw).body["date-range"]
                  ["start-datetime"][:10] for _, raw in h.mails())
    assert days == [day(2), day(1)], days


@row("a failure while the clock was days ahead: it is tried now, not then")
def clock_ahead(new):
    h = new()
    wants("a15.test", "v=TLSRPTv1; rua=mailto:tls@a15.test")
    h.add(session("a15.test"))
    fail = h.mail / "FAIL"
    fail.touch()
    h.run(later="+3d")
    assert h.states() == {"waits": 1}, h.states()
    fail.unlink()
    h.run()
    one_mail(h, "tls@a15.test")


@row("two hosts send different ids and names")
def two_hosts(new):
    wants("a8.test", "v=TLSRPTv1; rua=mailto:tls@a8.test")
    seen = set()
    for host in ("mx1.sender.test", "mx2.sender.test"):
        h = new()
        h.add(session("a8.test"))
        h.run(host=host)
        j = one_mail(h, "tls@a8.test")
        seen.add(j.body["report-id"])
    assert len(seen) == 2, seen


# --- Who wants one, and where ----------------------------------------------------

@row("RFC 8460 3 no record, two records, a broken one: no report")
def not_wanted(new):
    h = new()
    wants("b2.test", "v=TLSRPTv1; rua=mailto:a@b2.test",
          "v=TLSRPTv1; rua=mailto:b@b2.test")
    wants("b3.test", "v=TLSRPTv1; rua=mailto:a@b3.test; =")
    h.add(*[session(f"b{i}.test") for i in (1, 2, 3)])
    r = h.run()
    assert r.returncode == 0, r
    assert not h.mails()
    assert (h.spool / "out" / f"{day(1)}~").exists(), "the day is done"
    assert [p.name for p in (h.spool / "out").iterdir()] == [f"{day(1)}~"]


@row("RFC 8460 3 one rua twice, %2C, header fields, other schemes")
def odd_rua(new):
    h = new()
    wants("b4.test", "v=TLSRPTv1; rua=mailto:x%2Cy@b4.test,"
          "mailto:x%2Cy@b4.test?subject=Win,ftp://b4.test/,"
          "mailto:-oQ@b4.test; rua=mailto:x%2Cy@b4.test")
    h.add(session("b4.test"))
    h.run()
    to = sorted(a[-1] for a, _ in h.mails())
    assert to == ['"x,y"@b4.test', "-oQ@b4.test"], to
    for args, raw in h.mails():
        assert args[:4] == ["-i", "-f", SENDER, "--"], args
        j = rfc8460.judge_mail(raw)
        assert not j.faults, j.faults
        assert b"Win" not in raw


@row("RFC 6068 2, 6.1 lint, --dry-run and the sender agree on each URI")
def one_judge(new):
    h = new()
    record = ("v=TLSRPTv1; rua=mailto:%22not%40me%22@b8.test,"
              "mailto://a@b8.test,mailto:a%0D%0ABcc:b@b8.test,"
              "https://b8.test:8443/,mailto:a%40c@b8.test,"
              "mailto:%22not%40me%22@B8.test?x=y")
    wants("b8.test", record)
    h.add(session("b8.test"))
    lint = subprocess.run(
        [str(h.build / "modules/cli/mtasts"), "--json", "lint", "tlsrpt"],
        input=json.dumps([[record]]), text=True, capture_output=True, check=False)
    assert json.loads(lint.stdout)["rua"] == ["mailto:%22not%40me%22@b8.test"]
    r = h.run("--dry-run")
    assert r.stdout == f"{day(1)} b8.test mailto:%22not%40me%22@b8.test\n", r
    h.run()
    one_mail(h, '"not@me"@b8.test')


@row("DNS trouble at first, then one mailbox by eight names: one mail")
def dns_later_twice(new):
    h = new()
    dns.set_records({"_tls.b6.test": ["NS servfail.badns.test."]})
    h.add(session("b6.test"))
    h.run()
    dns.set_records({"_tls.b6.test": []})
    wants("b6.test", "v=TLSRPTv1; rua=" + ",".join(
        f"mailto:tls@b6.test?{i}" for i in range(8)))
    h.run(later="+1h")
    one_mail(h, "tls@b6.test")


@row("a name too long for a file does not keep the day open")
def long_name(new):
    h = new()
    name = ".".join(["a" * 60] * 3 + ["b" * 54, "test"])
    wants("b7.test", "v=TLSRPTv1; rua=mailto:tls@b7.test")
    h.add(session(name), session("b7.test"))
    r = h.run()
    assert r.returncode == 0, r
    one_mail(h, "tls@b7.test")
    assert (h.spool / "out" / f"{day(1)}~").exists()


@row("DNS trouble at first: the report goes out later")
def dns_later(new):
    h = new()
    dns.set_records({"_smtp._tls.b5.test": [],
                     "_tls.b5.test": ["NS servfail.badns.test."]})
    h.add(session("b5.test"))
    h.run()
    assert not h.mails()
    assert h.state("b5.test") and h.state("b5.test")[0].endswith(" ?")
    dns.set_records({"_tls.b5.test": []})
    wants("b5.test", "v=TLSRPTv1; rua=mailto:tls@b5.test")
    h.run(later="+1h")
    one_mail(h, "tls@b5.test")


@row("an owner whose servers are silent: a few of his names are asked, then others")
def silent_owner(new):
    h = new()
    since = dns.mark()
    dns.set_records({"q1.test": ["NS silent.badns.test."]})
    wants("q2.test", "v=TLSRPTv1; rua=mailto:tls@q2.test")
    h.add(*[session(f"s{i:03}.q1.test") for i in range(300)],
          session("q1.test"), session("q2.test"))
    r = h.run("--dry-run")  # that sends nothing, and so asks once
    log = (dns.DIR / "unbound.log").read_text("latin-1")[since:]
    asked = set(re.findall(r"_smtp\._tls\.(s\d+\.q1\.test)\. TXT", log))
    # 16 in vain, and as many at once as there are.
    assert 16 <= len(asked) <= 16 + 64, len(asked)
    lines = r.stdout.splitlines()
    assert sum(x.endswith(".q1.test ?") for x in lines) == 300, r
    assert f"{day(1)} q1.test ?" in lines, r
    assert f"{day(1)} q2.test mailto:tls@q2.test" in lines, r


@row("an owner with many reports: what is over his share takes no disk")
def owner_share(new):
    h = new()
    dns.set_records({f"_smtp._tls.s{i}.q3.test": [dns.txt(
        f"v=TLSRPTv1; rua=mailto:r@m{i}.test")] for i in range(300)} | {
        f"_smtp._tls.{d}": [dns.txt(f"v=TLSRPTv1; rua=mailto:tls@{d}")]
        for d in ("q3.test", "z.q4.test")})
    h.add(*[session(f"a{i}.q3.test") for i in range(300)],  # want none
          *[session(f"s{i}.q3.test") for i in range(300)],
          session("q3.test"), session("z.q4.test"))
    r = h.run()
    assert r.returncode == 0, r
    out = [p.name for p in (h.spool / "out").iterdir()]
    assert f"{day(1)}~" in out and f"{day(1)}~q3.test" in out, out
    assert sum(n.endswith(".q3.test") for n in out) == 256 - 1, len(out)
    assert {"tls@q3.test", "tls@z.q4.test"} <= {a[-1] for a, _ in h.mails()}


@row("2000 domains, every tenth wants a report")
def many_domains(new):
    h = new()
    dns.set_records({f"_smtp._tls.m{i}.test": [dns.txt(
        f"v=TLSRPTv1; rua=mailto:r@m{i}.test")] for i in range(0, 2000, 10)})
    h.add(*[session(f"m{i}.test") for i in range(2000)])
    r = h.run()
    assert r.returncode == 0, r
    assert len(h.mails()) == 200, len(h.mails())
    assert {a[-1] for a, _ in h.mails()} == \
        {f"r@m{i}.test" for i in range(0, 2000, 10)}


# --- HTTPS ---------------------------------------------------------------------------

def hook(domain: str, path: str, addr: str = HOOK) -> None:
    dns.set_records({f"hook.{domain}": [f"A {addr}"]})
    wants(domain, f"v=TLSRPTv1; rua=https://hook.{domain}{path}")


@row("RFC 8460 5.4 by HTTPS")
def https_good(new):
    h = new()
    began = time.time()
    hook("c1.test", "/ok?x=1")
    h.add(session("c1.test"))
    h.run()
    got = posted(began)
    assert len(got) == 1 and got[0]["path"] == "/ok?x=1", got
    assert got[0]["method"] == "POST" and got[0]["sni"] == "hook.c1.test", got
    j = rfc8460.judge_post(base64.b64decode(got[0]["body"]),
                           got[0]["headers"]["content-type"])
    assert not j.faults, j.faults
    assert h.state("c1.test")[0].startswith("sent "), h.state("c1.test")
    h.run(later="+2h")
    assert len(posted(began)) == 1


@row("RFC 8460 5.4 by HTTPS, to nginx")
def https_nginx(new):
    h = new()
    hook("c8.test", "/tls/in", NGINX)
    h.add(session("c8.test"))
    h.run()
    assert h.state("c8.test")[0].startswith("sent "), h.state("c8.test")
    got = [json.loads(x) for x in (POSTED / "nginx.log").read_text()
           .splitlines() if "hook.c8.test" in x][-1]
    assert got["request"] == "POST /tls/in HTTP/1.1", got
    j = rfc8460.judge_post(Path(got["file"]).read_bytes(), got["type"])
    assert not j.faults, j.faults


@row("RFC 8460 5.5 refused: again later, given up after a day")
def https_refused(new):
    h = new()
    began = time.time()
    hook("c2.test", "/500")
    h.add(session("c2.test"))
    h.run()
    assert h.state("c2.test")[0].startswith("waits 1 "), h.state("c2.test")
    h.run()
    assert len(posted(began)) == 1, "not before its time"
    for later in ("+1h", "+3h", "+8h"):
        h.run(later=later)
    assert len(posted(began)) == 4, len(posted(began))
    h.run(later="+25h")
    assert h.state("c2.test")[0].startswith("given-up "), h.state("c2.test")
    h.run(later="+30h")
    assert len(posted(began)) == 5
    assert not list((h.spool / "out").glob("*~gz"))


@row("RFC 8460 5.4 201 is taken, a redirect is not followed")
def https_statuses(new):
    h = new()
    began = time.time()
    hook("c3.test", "/201")
    hook("c4.test", "/redirect")
    h.add(session("c3.test"), session("c4.test"))
    h.run()
    assert h.state("c3.test")[0].startswith("sent ")
    assert h.state("c4.test")[0].startswith("waits 1 ")
    assert {p["path"] for p in posted(began)} == {"/201", "/redirect"}


@row("RFC 8460 5.4 a certificate for another name, from another CA: nothing is sent")
def https_cert(new):
    h = new()
    began = time.time()
    hook("c5.test", "/ok", "198.18.1.41")
    hook("c6.test", "/ok", "198.18.1.42")
    h.add(session("c5.test"), session("c6.test"))
    h.run()
    assert not posted(began)
    for d in ("c5.test", "c6.test"):
        assert h.state(d)[0].startswith("waits 1 "), h.state(d)


@row("RFC 8460 7 not to this host, not into private networks")
def https_private(new):
    h = new()
    for i, addr in enumerate(("127.0.0.1", "10.0.0.1", "192.168.1.1",
                              "172.20.0.1", "169.254.169.254", "100.64.0.1",
                              net.NEAR4)):  # a public one of this host
        hook(f"p{i}.test", "/ok", addr)
        h.add(session(f"p{i}.test"))
    dns.set_records({"hook.p7.test": ["AAAA ::1"],
                     "hook.p8.test": ["AAAA fd00::1"],
                     "hook.p9.test": ["AAAA ::ffff:127.0.0.1"],
                     "hook.p10.test": ["AAAA 64:ff9b:1::c633:6401"]})
    for i in (7, 8, 9, 10):
        wants(f"p{i}.test", f"v=TLSRPTv1; rua=https://hook.p{i}.test/")
        h.add(session(f"p{i}.test"))
    began = time.monotonic()
    h.run()
    assert time.monotonic() - began < 20
    for i in range(11):
        assert h.state(f"p{i}.test")[0].startswith("waits 1 "), i


@row("a server that never ends its answer")
def https_endless(new):
    h = new()
    hook("c7.test", "/endless")
    h.add(session("c7.test"))
    h.run()
    assert h.state("c7.test")[0].startswith("sent "), h.state("c7.test")


@row("RFC 8460 5.4 no answer, or one cut off: nobody knows, so not again")
def https_cut(new):
    h = new()
    began = time.time()
    hook("c9.test", "/cut")
    hook("c10.test", "/mute")
    h.add(session("c9.test"), session("c10.test"))
    h.run()
    h.run(later="+6h")
    assert len(posted(began)) == 2, posted(began)
    for d in ("c9.test", "c10.test"):
        assert h.state(d)[0].startswith("unknown 1 "), (d, h.state(d))
    assert h.status()["unknown"] == 2, h.status()


@row("RFC 9110 15 what is final, and what may be tried again")
def https_final(new):
    h = new()
    began = time.time()
    for n in FINAL + AGAIN:
        hook(f"n{n}.test", f"/{n}")
        h.add(session(f"n{n}.test"))
    h.run()
    assert len(posted(began)) == len(FINAL + AGAIN), len(posted(began))
    for n in FINAL:
        assert h.state(f"n{n}.test")[0].startswith("given-up 1 "), n
    for n in AGAIN:
        assert h.state(f"n{n}.test")[0].startswith("waits 1 "), n
    h.run(later="+1h")
    assert Counter(p["path"] for p in posted(began)) == Counter(
        {f"/{n}": 1 for n in FINAL} | {f"/{n}": 2 for n in AGAIN})


# --- State -----------------------------------------------------------------------------

@row("RFC 8460 5.5 sendmail fails: again later")
def mail_fails(new):
    h = new()
    wants("d1.test", "v=TLSRPTv1; rua=mailto:tls@d1.test")
    h.add(session("d1.test"))
    (h.mail / "FAIL").touch()
    r = h.run()
    assert r.returncode == 0 and not h.mails(), r
    assert h.state("d1.test")[0].startswith("waits 1 ")
    (h.mail / "FAIL").unlink()
    h.run(later="+1h")
    one_mail(h, "tls@d1.test")


@row("killed between sending and writing it down: not sent twice")
def killed(new):
    h = new()
    wants("d2.test", "v=TLSRPTv1; rua=mailto:tls@d2.test")
    h.add(session("d2.test"))
    (h.mail / "KILL").touch()
    r = h.run()
    assert r.returncode != 0, r
    net.wait_until(lambda: h.mails(), 5, "mail")
    assert h.state("d2.test")[0].startswith("sending "), h.state("d2.test")
    assert h.run().returncode == 0
    h.run(later="+6h")
    one_mail(h, "tls@d2.test")
    assert h.state("d2.test")[0].startswith("unknown "), h.state("d2.test")


@row("killed: the process that runs sendmail; that mail is not sent twice")
def helper_killed(new):
    h = new()
    for i in range(4):
        wants(f"d{i}.orphan.test", f"v=TLSRPTv1; rua=mailto:tls{i}@orphan.test")
        h.add(session(f"d{i}.orphan.test"))
    (h.mail / "ORPHAN").touch()
    assert h.run().returncode == 0
    h.run(later="+2h")
    assert len(h.mails()) == len({a[-1] for a, _ in h.mails()}) == 4
    assert h.states() == {"unknown": 1, "sent": 3}, h.states()
    s = h.status()
    assert (s["unknown"], s["sent"], s["waits"]) == (1, 3, 0), s


@row("SIGCHLD is ignored by the caller: three runs, one mail")
def sigchld(new):
    h = new()
    wants("d9.test", "v=TLSRPTv1; rua=mailto:tls@d9.test")
    h.add(session("d9.test"))
    for later in ("", "+1h", "+6h"):
        r = h.run(later=later, before="trap '' CHLD")
        assert r.returncode == 0, r
    one_mail(h, "tls@d9.test")
    assert h.state("d9.test")[0].startswith("sent "), h.state("d9.test")


@row("--print and --dry-run send and store nothing")
def only_look(new):
    h = new()
    wants("d3.test", "v=TLSRPTv1; rua=mailto:tls@d3.test")
    h.add(session("d3.test"), session("d4.test"))
    r = h.run("--print", "--domain", "d3.test")
    j = rfc8460.judge_json(r.stdout.encode())
    assert not j.faults, (j.faults, r)
    r = h.run("--dry-run", "--day", day(1))
    assert r.stdout == f"{day(1)} d3.test mailto:tls@d3.test\n", r
    assert not h.mails() and not (h.spool / "out").exists()
    h.run()
    one_mail(h, "tls@d3.test")


@row("a day is removed after its time, with all that was of it")
def expiry(new):
    h = new(more="keep = 2d\n")
    wants("d5.test", "v=TLSRPTv1; rua=mailto:tls@d5.test")
    h.add(session("d5.test"))
    h.run()
    h.run(later="+1d")
    assert (h.spool / day(1)).exists()
    h.run(later="+3d")
    assert not (h.spool / day(1)).exists()
    assert not list((h.spool / "out").iterdir())
    assert len(h.mails()) == 1


@row("RFC 8460 5.5 made late, as the machine was down: tried for a day all the same")
def expiry_waits(new):
    h = new(more="keep = 2d\n")
    wants("d7.test", "v=TLSRPTv1; rua=mailto:tls@d7.test")
    h.add(session("d7.test", ago=9), ago=9)
    fail = h.mail / "FAIL"
    fail.touch()
    h.run()
    assert h.state("d7.test", 9)[0].startswith("waits 1 ")
    assert (h.spool / day(9)).exists()
    fail.unlink()
    h.run(later="+1h")
    one_mail(h, "tls@d7.test")
    assert not (h.spool / day(9)).exists()
    assert not list((h.spool / "out").iterdir())


@row("no contact: a refusal, not a report")
def no_contact(new):
    h = new(contact=False)
    h.add(session("d6.test"))
    r = h.run()
    assert r.returncode == 3 and "contact" in r.stderr, r


@row("--forward and sink = tlsrpt, which this host need not be built with")
def sink(new):
    h = new()
    h.add(session("d8.test"))
    r = h.run("--forward")
    assert r.returncode == 3 and "sink = tlsrpt" in r.stderr, r
    h = new(more="sink = tlsrpt\ntlsrpt_socket = /run/no-such-socket\n")
    r = h.run()
    assert r.returncode == 3, r
    assert f"{h.conf}:8: sink = tlsrpt: built without libtlsrpt" in r.stderr \
        or "--forward" in r.stderr, r


@row("bad arguments; a day without sessions")
def arguments(new):
    h = new()
    for bad in (["--frob"], ["more"], ["--day", "2026-02-30"],
                ["--day", "today"], ["--domain", "a b"],
                ["--forward", "--print"]):
        assert h.run(*bad).returncode == 2, bad
    assert h.run("--help").returncode == 0
    h.conf.write_text("nonsense")
    assert h.run("--help").returncode == 0
    assert h.run("--frob").returncode == 2
    assert h.run("--print").returncode == 3
    h = new()
    h.add(session("d8.test", ago=0), ago=0)
    for args in (["--day", day(3)], ["--day", "yesterday"], ["--day", day(0)],
                 ["--print", "--day", day(3)],
                 ["--print", "--day", "yesterday"]):
        r = h.run(*args)
        assert r.returncode == 1 and "no sessions of" in r.stderr, (args, r)


@row("a look at today, and at yesterday, by --print and --dry-run: no lock, no state")
def previews(new):
    h = new()
    uri = "mailto:tls@d9.test"
    wants("d9.test", f"v=TLSRPTv1; rua={uri}")
    h.add(session("d9.test", ago=0), session("d9.test", ago=0), ago=0,
          raw=session("d9.test", "validation-failure", ago=0).encode()[:30])
    h.add(session("d9.test"))
    lock = h.spool / "~report"
    lock.touch()
    shutil.chown(lock, OWNER, OWNER)
    there = sorted(h.spool.iterdir())
    import fcntl
    with lock.open("r+") as f:
        fcntl.lockf(f, fcntl.LOCK_EX)
        for word, ago, n in (("today", 0, 2), (day(0), 0, 2),
                             ("yesterday", 1, 1), (day(1), 1, 1)):
            r = h.run("--print", "--day", word)
            assert r.returncode == 0, r
            body = json.loads(r.stdout)
            assert body["date-range"]["start-datetime"][:10] == day(ago), body
            assert body["policies"][0]["summary"] == {
                "total-successful-session-count": n,
                "total-failure-session-count": 0}, body
            r = h.run("--dry-run", "--day", word)
            assert r.stdout == f"{day(ago)} d9.test {uri}\n", r
    assert sorted(h.spool.iterdir()) == there, list(h.spool.iterdir())
    assert not h.mails()
    assert h.run("--day", "yesterday").returncode == 0
    one_mail(h, "tls@d9.test")


@row("two runs at once: the second says so")
def two_runs(new):
    h = new()
    wants("d7.test", "v=TLSRPTv1; rua=mailto:tls@d7.test")
    h.add(session("d7.test"))
    lock = h.spool / "~report"
    lock.touch()
    shutil.chown(lock, OWNER, OWNER)
    import fcntl
    with lock.open("r+") as f:
        fcntl.lockf(f, fcntl.LOCK_EX)
        r = h.run()
        assert r.returncode == 3 and "another run" in r.stderr, r
    assert not h.mails()


# --- Many at once, and no bombs --------------------------------------------------------

@row("1000 reports, of which 300 go to black holes: all others go out")
def black_holes(new):
    h = new()
    began = time.time()
    records = {}
    for i in range(1000):
        d = f"e{i}.test"
        rua, addr = f"https://{d}/ok", HOOK
        if i < 150:  # addresses that swallow SYN
            addr = f"{net.HOLE4[:-4]}{i + 1}"
        elif i < 225:  # one of them for all
            addr = f"{net.HOLE4[:-4]}254"
        elif i < 300:  # connected, and never a word
            addr = SILENT
        elif i < 600:
            rua = f"mailto:r@{d}"
        records[f"_smtp._tls.{d}"] = [dns.txt(f"v=TLSRPTv1; rua={rua}")]
        records[d] = [f"A {addr}"]
    dns.set_records(records)
    h.add(*[session(f"e{i}.test") for i in range(1000)])
    r = h.run()
    assert r.returncode == 0, r
    assert len(h.mails()) == 300, len(h.mails())
    assert len({p["sni"] for p in posted(began)}) == 400, len(posted(began))
    assert h.states() == {"sent": 700, "waits": 300}, h.states()
    # Each has an address of its own, so the failures of others do not count.
    for i in range(150):
        assert h.state(f"e{i}.test")[0].startswith("waits 1 "), i
    s = h.status()
    assert s["waits"] == 300 and s["oldest-waiting"] == day(1), s


@row("a host where nobody answers: a few try, the others wait for the next run")
def breaker(new):
    h = new()
    for i in range(40):
        wants(f"f{i}.test", "v=TLSRPTv1; rua=https://down.f0.test/")
        h.add(session(f"f{i}.test"))
    dns.set_records({"down.f0.test": [f"A {net.HOLE4[:-4]}7"]})
    h.run()
    tries = Counter(h.state(f"f{i}.test")[0].split()[1] for i in range(40))
    assert set(tries) == {"0", "1"} and tries["1"] <= 12, tries
    assert h.states() == {"waits": 40}, h.states()
    h.run(later="+26h")
    h.run(later="+51h")
    assert h.states() == {"given-up": 40}, h.states()


@row("RFC 8460 7 50 subdomains with eight plus-addresses of one victim: one mail")
def bomb(new):
    h = new()
    record = "v=TLSRPTv1; rua=" + ",".join(
        f"mailto:boss+{{i}}x{k}@victim.test" for k in range(8))
    for i in range(50):
        wants(f"s{i}.g1.test", record.format(i=i))
        h.add(session(f"s{i}.g1.test"))
    # Who cannot be asked at first is not let in by the back door.
    dns.set_records({"_tls.s51.g1.test": ["NS servfail.badns.test."]})
    h.add(session("s51.g1.test"))
    h.run()
    dns.set_records({"_tls.s51.g1.test": []})
    wants("s51.g1.test", record.format(i=51))
    for later in ("", "+1h", "+5h"):
        h.run(later=later)
    assert len(h.mails()) == 1, [a[-1] for a, _ in h.mails()]
    assert h.mails()[0][0][-1].endswith("@victim.test")
    s = h.status()
    assert s["sent"] == 1 and s["waits"] == 0, s
    assert s["withheld-place"] + s["withheld-outside"] == 51 * 8 - 1, s
    assert not list((h.spool / "out").glob("*~gz"))


@row("RFC 8460 7 an owner's domain goes before the names below it")
def owner_first(new):
    h = new()
    for d in ["g2.test"] + [f"s{i}.g2.test" for i in range(9)]:
        wants(d, "v=TLSRPTv1; rua=mailto:tls@g2.test")
        h.add(session(d))
    h.run()
    j = one_mail(h, "tls@g2.test")
    assert j.body["policies"][0]["policy"]["policy-domain"] == "g2.test", j.body


@row("one collector for 2000 owners, by mail and by HTTPS: all are delivered")
def collector(new):
    h = new()
    began = time.time()
    dns.set_records({f"_smtp._tls.k{i}.test": [dns.txt(
        "v=TLSRPTv1; rua=mailto:tls@collect.test,https://collect.test/ok")]
        for i in range(2000)} | {"collect.test": [f"A {HOOK}"]})
    h.add(*[session(f"k{i}.test") for i in range(2000)])
    r = h.run()
    assert r.returncode == 0, r
    assert h.states() == {"sent": 4000}, h.states()
    assert len(h.mails()) == 2000, len(h.mails())
    assert {a[-1] for a, _ in h.mails()} == {"tls@collect.test"}
    assert len(posted(began)) == 2000, len(posted(began))


@row("destination_max: no more than that to one domain in a day")
def destination_max(new):
    h = new(more="destination_max = 3\n")
    for i in range(10):
        wants(f"g{i}.test", f"v=TLSRPTv1; rua=mailto:box{i}@collect.test")
        h.add(session(f"g{i}.test"))
    h.run()
    h.run(later="+1h")
    assert len(h.mails()) == 3, len(h.mails())
    assert h.states() == {"sent": 3, "withheld-full": 7}, h.states()
    r = h.run("--status")
    assert "withheld-full: 7\n" in r.stdout and "waits: 0\n" in r.stdout, r


# --- The world ---------------------------------------------------------------------------

def build_world(_: Path) -> None:
    net.build()
    ca.build()
    dns.build()
    POSTED.mkdir()
    many = ["c1", "c2", "c3", "c4", "c7", "c9", "c10"] + [
        f"n{n}" for n in FINAL + AGAIN]
    names = {HOOK: ([f"hook.{d}.test" for d in many] + ["collect.test"] + [
        f"e{i}.test" for i in range(600, 1000)], "good"),
        "198.18.1.41": (["www.elsewhere.test"], "good"),
        "198.18.1.42": (["hook.c6.test"], "other-ca")}
    argv = [str(POSTED), SILENT, "silent"]
    for addr, (san, kind) in names.items():
        argv += [addr, str(ca.DIR / ca.cert(san, kind))]
    net.far_daemon(net.python(HERE.parent / "world" / "hook.py", *argv),
                   net.ROOT / "hook.err")
    net.wait_until(lambda: (POSTED / "ready").exists(), 10, "hook")
    conf = POSTED / "nginx.conf"
    conf.write_text(NGINX_CONF.format(
        dir=POSTED, addr=NGINX, cert=ca.DIR / ca.cert(["hook.c8.test"])))
    net.far_daemon(["nginx", "-g", "daemon off;", "-e",
                    str(POSTED / "nginx.err"), "-c", str(conf)],
                   net.ROOT / "nginx.err")
    net.wait_until(lambda: (POSTED / "nginx.pid").exists(), 10, "nginx")


def all_rows(path: Path) -> list[rows.Row]:
    return [(name, partial(fn, partial(Host, path.resolve())))
            for name, fn in ROWS]


if __name__ == "__main__":
    sys.exit(rows.main(__doc__, __file__, build_world, all_rows))
