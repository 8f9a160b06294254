#!/usr/bin/python3 -B
# SPDX-License-Identifier: ISC
"""mtasts report --forward with the libtlsrpt of Debian 13 and testing.

  sink.py [--build DIR] [WORD...]   all rows, or those whose name has a word

This host need not have the library: in a folder of each release (see
world/debian.py) the programs are built and run.  DNS is real, and so is the
library; the collector is a datagram socket of ours, for no release of Debian
has the one of the sys4 project, tlsrpt-reporter.  Verdicts and status as of
reports.py.
"""
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "world"))

import ca
import debian
import dns
import net
import rows
from reports import (CONTACT, OWNER, POLICY, certificate, day, put_session,
                     session, wants)

HOME = net.ROOT / "sink"
CODES = {  # tlsrpt.h; RFC 8460 4.3
    "starttls-not-supported": 201, "certificate-host-mismatch": 202,
    "certificate-not-trusted": 203, "certificate-expired": 204,
    "validation-failure": 205, "sts-policy-fetch-error": 301,
    "sts-policy-invalid": 302, "sts-webpki-invalid": 303,
    "tlsa-invalid": 304, "dnssec-invalid": 305, "dane-required": 306,
    "certificate": 205}
TYPES = {"tlsa": 1, "sts": 2, "no-policy-found": 9}
# Kernels have held this many datagrams of those who are not connected.
QUEUE = range(10, 12)


class Folder:
    """A release with our programs in it."""

    def __init__(self, release: str, build: Path) -> None:
        self.release, self.build = release, build
        self.top = HOME / release / "root"
        self.log: list[str] = []

    def mount(self) -> None:
        path = debian.folder(self.release)
        home = self.top.parent
        for d in ("up", "work", "root"):
            (home / d).mkdir(parents=True)
        net.sh("mount", "-t", "overlay", "overlay", "-o",
               f"lowerdir={path},upperdir={home}/up,workdir={home}/work",
               str(self.top))
        net.sh("mount", "-t", "proc", "proc", str(self.top / "proc"))
        net.sh("mount", "-t", "tmpfs", "-o", "mode=755", "dev",
               str(self.top / "dev"))
        for n, minor in (("null", 3), ("urandom", 9)):
            os.mknod(self.top / "dev" / n, 0o20666, os.makedev(1, minor))
            (self.top / "dev" / n).chmod(0o666)
        shutil.copyfile("/etc/resolv.conf", self.top / "etc/resolv.conf")
        for src, to in (("/etc/ssl/certs", "etc/ssl/certs"),
                        (str(self.build), debian.OUT[1:])):
            (self.top / to).mkdir(parents=True, exist_ok=True)
            net.sh("mount", "--bind", src, str(self.top / to))
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind(str(self.top / "dev/log"))
        os.chmod(self.top / "dev/log", 0o666)

        def listen() -> None:
            while True:
                self.log.append(s.recv(65536).decode("ascii"))
        threading.Thread(target=listen, daemon=True).start()


class Collector:
    """Takes datagrams; each must be JSON in UTF-8."""

    def __init__(self, path: Path, reading: bool = True) -> None:
        self.got: list[dict] = []
        self.path, self.on = path, True
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path.unlink(missing_ok=True)
        self.sock.bind(str(path))
        path.chmod(0o666)
        self.thread = threading.Thread(target=self._read, daemon=True)
        if reading:
            self.thread.start()

    def _read(self) -> None:
        self.sock.settimeout(0.05)
        while self.on:
            try:
                self.take(self.sock.recv(1 << 20))
            except TimeoutError:
                pass

    def take(self, raw: bytes) -> None:
        def once(pairs):
            assert len({k for k, _ in pairs}) == len(pairs), pairs
            return dict(pairs)
        self.got.append(json.loads(raw.decode("utf-8"),
                                   object_pairs_hook=once))

    def first(self, n: int) -> list[dict]:
        """When so many have come, or nothing more does."""
        net.wait_until(lambda: len(self.got) >= n, 10, f"{n} datagrams")
        return self.got

    def drain(self) -> list[dict]:
        """All that waits, for one that does not read by itself."""
        self.sock.setblocking(False)
        try:
            while True:
                self.take(self.sock.recv(1 << 20))
        except BlockingIOError:
            return self.got

    def stop(self) -> list[dict]:
        """No listener any more; what had come is there."""
        self.path.unlink(missing_ok=True)
        self.on = False
        if self.thread.is_alive():
            self.thread.join()
        self.drain()
        self.sock.close()
        return self.got


class Host:
    """A mail server's spool, cache and configuration, inside a folder."""
    count = 0

    def __init__(self, folder: Folder) -> None:
        Host.count += 1
        self.folder = folder
        self.inner = f"/opt/h{Host.count}"
        self.dir = folder.top / self.inner[1:]
        self.spool, self.cache = self.dir / "spool", self.dir / "cache"
        for d in (self.dir, self.spool, self.cache):
            d.mkdir(parents=True)
            shutil.chown(d, OWNER, OWNER)
            d.chmod(0o750)
        self.dir.chmod(0o755)
        self.sock = self.dir / "sock"
        self.configure()

    def configure(self, sink: str = "tlsrpt", more: str = "",
                  contact: bool = True) -> None:
        (self.dir / "conf").write_text(
            f"cache_dir = {self.inner}/cache\ndns_timeout = 2s\n[report]\n"
            + (f"contact = {CONTACT}\n" if contact else "")
            + f"spool_dir = {self.inner}/spool\nsendmail = /bin/false\n"
            f"jitter = 0s\nsink = {sink}\n"
            f"tlsrpt_socket = {self.inner}/sock\n" + more)

    def collector(self, reading: bool = True) -> Collector:
        return Collector(self.sock, reading)

    def add(self, *lines: str, ago: int = 1, end: str = "\n") -> None:
        path = self.spool / day(ago)
        with path.open("ab") as f:
            f.write(("\n".join(lines) + end).encode())
        shutil.chown(path, OWNER, OWNER)

    def put_policy(self, build: Path, domain: str, policy_id: str,
                   text: bytes) -> None:
        p = subprocess.run(
            [str(build / "tests/edges/putpolicy"), str(self.cache), domain,
             policy_id], input=text, capture_output=True, check=False,
            user=OWNER, group=OWNER, extra_groups=[])
        assert p.returncode == 0, p.stderr

    def start(self, *args: str) -> subprocess.Popen:
        return subprocess.Popen(
            ["/usr/sbin/chroot", str(self.folder.top), "/usr/bin/setpriv",
             f"--reuid={OWNER}", f"--regid={OWNER}", "--clear-groups",
             f"{debian.OUT}/modules/report/mtasts-report", "-c",
             f"{self.inner}/conf", *args],
            env={"PATH": "/usr/bin:/bin"}, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *args: str) -> subprocess.CompletedProcess:
        del self.folder.log[:]
        p = self.start(*(args or ("--forward",)))
        out, err = p.communicate(timeout=90)
        return subprocess.CompletedProcess(args, p.returncode, out, err)

    def good(self, status: int = 0) -> None:
        r = self.run()
        assert r.returncode == status, (r, self.folder.log)

    def said(self, text: str) -> bool:
        end = time.monotonic() + 2
        while not any(text in x for x in self.folder.log):
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def note(self, ago: int = 1) -> Path:
        return self.spool / f"~forward-{day(ago)}"

    def passed(self) -> int:
        """Bytes of yesterday's file that are done with."""
        try:
            return int(self.note().read_text().split()[2])
        except (FileNotFoundError, IndexError):
            return 0

    def waiting(self) -> int:
        """Sessions that wait for their domain."""
        return self.note().read_text().count("\nw ")


ROWS = []
BUILD = Path()  # of this host


def row(name: str):
    def add(fn):
        ROWS.append((name, fn))
        return fn
    return add


def rua(domain: str, box: str = "r") -> str:
    text = f"v=TLSRPTv1; rua=mailto:{box}@{domain}"
    wants(domain, text)
    return text


def failure(d: dict) -> dict:
    """The one failure of a datagram with one policy that failed."""
    p, = d["policies"]
    assert (p["t"], p["f"]) == (1, 1), d
    f, = p["failure-details"]
    return f


def numbered(n: int, domain: str, ago: int = 1, **kw) -> list[str]:
    return [session(domain, "validation-failure", ago=ago,
                    helo=f"h{i}".encode(), **kw) for i in range(n)]


def numbers(got: list[dict]) -> list[int]:
    return [int(failure(d)["h"][1:]) for d in got]


# --- What the collector is told ------------------------------------------------

@row("RFC 8460 4.3 each result, with all that is known of it")
def results(h):
    text = rua("a1.test")
    for r in CODES:
        kind = "tlsa" if CODES[r] >= 304 and r != "certificate" else "sts"
        h.add(session("a1.test", r, kind=kind, mx="mx.a1.test",
                      helo=b"hello.a1.test", ip="2001:db8:25::1",
                      reason=r.upper().encode()))
    c = h.collector()
    h.good()
    got = c.stop()
    assert len(got) == len(CODES), got
    for d, r in zip(got, CODES):
        assert (d["d"], d["pr"]) == ("a1.test", text), d
        f = failure(d)
        assert f == {"c": CODES[r], "s": "198.18.0.2", "n": "mx.a1.test",
                     "h": "hello.a1.test", "r": "2001:db8:25::1",
                     "f": r.upper()}, f
        kind = "tlsa" if 304 <= CODES[r] else "sts"
        assert d["policies"][0]["policy-type"] == TYPES[kind], d
        assert d["policies"][0]["policy-domain"] == "a1.test", d
    assert set(got[0]) - {"dpv"} == {"d", "pr", "policies"}, got[0]


@row("RFC 8460 4.2.1 successes, what is not known is left out")
def successes(h):
    rua("a2.test")
    kinds = list(TYPES) * 2
    h.add(*[session("a2.test", kind=k, mode="none" if k[0] == "n"
                    else "enforce", policy="") for k in kinds],
          session("a2.test", "sts-policy-fetch-error", source=""))
    c = h.collector()
    h.good()
    got = c.stop()
    assert [d["policies"] for d in got[:-1]] == [
        [{"policy-type": TYPES[k], "policy-domain": "a2.test", "t": 0,
          "f": 0}] for k in kinds], got
    assert failure(got[-1]) == {"c": 301}, got[-1]


@row("RFC 8460 4.3.1 what was wrong with a certificate")
def certificates(h):
    rua("a3.test")
    for i, (names, kind) in enumerate((
            (["other.test"], "good"), (["mx1.a3.test"], "expired"),
            (["mx2.a3.test"], "self-signed"), (["mx3.a3.test"], "good"))):
        put_session(BUILD, h.spool, "a3.test", f"mx{i}.a3.test",
                    certificate(names, kind), reason="as heard")
    c = h.collector()
    h.good()
    got = [failure(d) for d in c.stop()]
    assert [f["c"] for f in got] == [202, 204, 203, 205], got
    assert got[0]["f"] == "certificate is for other hosts", got[0]
    assert got[2]["f"] and got[3]["f"] == "as heard", got


@row("RFC 8460 4.4 the policy, where the cache still has it")
def policies(h):
    rua("a4.test")
    text = POLICY.format(d="a4.test").encode() + \
        b"x: caf\xc3\xa9 \t\"\\\x01\x7f\r\n\r\nbad: \xff\nlast: 1"
    h.put_policy(BUILD, "a4.test", "one", text)
    h.add(session("a4.test", policy="one"), session("a4.test", policy="two"),
          session("a4.test", kind="no-policy-found", mode="none", policy=""))
    c = h.collector()
    h.good()
    p = [d["policies"][0] for d in c.stop()]
    assert p[0]["policy-string"] == [
        "version: STSv1", "mode: enforce", "mx: mx1.a4.test",
        "mx: *.a4.test", "max_age: 86400", "x: caf\u00e9 \t\"\\\x01\x7f",
        "(not UTF-8)", "last: 1"], p[0]
    assert "policy-string" not in p[1] and "policy-string" not in p[2], p


@row("RFC 8460 4.4 mx patterns")
def patterns(h):
    rua("a5.test")
    h.put_policy(BUILD, "a5.test", "1", POLICY.format(d="a5.test").encode())
    h.add(session("a5.test"), session("a5.test", policy="2"))
    c = h.collector()
    h.good()
    p = [d["policies"][0] for d in c.stop()]
    assert p[0]["mx-host"] == ["mx1.a5.test", "*.a5.test"], p
    assert "mx-host" not in p[1], p


@row("hostile words; lines that are none")
def hostile(h):
    rua("a6.test")
    raw = bytes(range(256))
    h.add(*[session("a6.test", "validation-failure", helo=raw[i:i + 64],
                    reason=b"\xff\xfe\"\\\n\r\0\xc3\xa9")
            for i in range(0, 256, 64)],
          "garbage", "", "2\tx\ty", "\t" * 12, "x" * 70000,
          session("a6.test", "validation-failure", helo=b"last"))
    c = h.collector()
    h.good()
    got = [failure(d) for d in c.stop()]
    assert len(got) == 5 and got[-1]["h"] == "last", got
    for f in got:
        assert all(32 <= ord(x) < 127 for x in json.dumps(
            f, ensure_ascii=False)), f
    assert "\\xff\\xfe" in got[0]["f"], got[0]
    assert h.said("4 damaged lines"), h.folder.log
    c = h.collector()
    h.good()
    assert not c.stop()


@row("a policy too large for a datagram is left out, the session is not")
def large(h):
    rua("a7.test")
    h.put_policy(BUILD, "a7.test", "1", POLICY.format(d="a7.test").encode()
                 + b"x: " + b"\x01" * 60000 + b"\n")
    h.put_policy(BUILD, "b7.test", "1", POLICY.format(d="b7.test").encode()
                 + b"mx: a.test\n" * 5000)
    rua("b7.test")
    h.add(session("a7.test", "validation-failure"), session("b7.test"))
    c = h.collector()
    h.good()
    got = c.stop()
    assert [d["d"] for d in got] == ["a7.test", "b7.test"], got
    assert "policy-string" not in got[0]["policies"][0]
    assert failure(got[0])["c"] == 205
    assert len(got[1]["policies"][0]["policy-string"]) == 5005


# --- Who wants reports ------------------------------------------------------------

@row("RFC 8460 3 no record, a broken one, two: nothing is handed over")
def not_wanted(h):
    wants("b1.test", "v=TLSRPTv1; rua=mailto:a@b1.test; =")
    wants("b2.test", "v=TLSRPTv1; rua=mailto:a@b2.test",
          "v=TLSRPTv1; rua=mailto:b@b2.test")
    wants("b3.test", "v=TLSRPTv1; rua=ftp://b3.test/")
    text = rua("b4.test")
    wants("b4.test", "v=spf1 -all", text, "v=STSv1; id=1;")
    h.add(*[session(f"b{i}.test") for i in range(5)] * 3)
    since = dns.mark()
    c = h.collector()
    h.good()
    got = c.stop()
    assert [(d["d"], d["pr"]) for d in got] == [("b4.test", text)] * 3, got
    assert [dns.asked(since, f"_smtp._tls.b{i}.test") for i in range(5)] == \
        [1] * 5, "once in a run"
    since = dns.mark()
    h.good()
    assert dns.asked(since, "_smtp._tls.b0.test") == 0, "asked for nothing"


@row("a record that changed")
def changed(h):
    one = rua("b6.test")
    c = h.collector()
    h.add(session("b6.test"))
    h.good()
    two = rua("b6.test", "new")
    h.add(session("b6.test"), session("b6.test", ago=0), ago=1)
    h.good()
    wants("b6.test")
    h.add(session("b6.test"))
    h.good()
    assert [d["pr"] for d in c.stop()] == [one, two, two]


@row("DNS trouble of one domain holds up no other, and nothing is lost")
def dns_trouble(h):
    rua("c1.test")
    for d in ("c2", "c3"):
        dns.set_records({f"_tls.{d}.test": ["NS servfail.badns.test."]})
    h.add(*[session(f"c{1 + i % 3}.test", "validation-failure",
                    helo=f"h{i}".encode()) for i in range(30)])
    c = h.collector()
    h.good()
    assert numbers(c.first(10)) == list(range(0, 30, 3)), c.got
    h.good()
    dns.set_records({"_tls.c2.test": []})
    rua("c2.test")
    h.add(session("c2.test", "validation-failure", helo=b"h31"),
          session("c1.test", "validation-failure", helo=b"h30"))
    h.good()
    assert sorted(numbers(c.first(22)[10:])) == \
        [*range(1, 30, 3), 30, 31], c.got
    assert h.waiting() == 10, h.note().read_text()
    dns.set_records({"_tls.c3.test": []})  # wants none, as it turns out
    h.good()
    h.add(session("c3.test"))
    h.good()
    assert len(c.stop()) == 22
    assert h.waiting() == 0, h.note().read_text()


def in_trouble(owner: str, n: int, kind: str) -> list[str]:
    """Domains of one owner whose nameserver fails; those asked so far do not
    count."""
    dns.set_records({owner: [f"NS {kind}.badns.test."]})
    return [f"d{i}.{owner}" for i in range(n)]


def never_stopped(h, kind: str) -> None:
    bad = in_trouble(f"{kind}3000.test", 3000, kind)
    rua(f"last.{kind}-good.test")
    h.add(*map(session, bad), session(f"last.{kind}-good.test"))
    c = h.collector()
    since = dns.mark()
    h.good()
    assert [d["d"] for d in c.got] == [f"last.{kind}-good.test"], c.got
    assert h.waiting() == 3000
    asked = sum(dns.asked(since, f"_smtp._tls.{d}") > 0 for d in bad[:300])
    assert asked <= 16, asked
    h.add(session(f"last.{kind}-good.test"))
    h.good()
    assert len(c.first(2)) == 2 and h.waiting() == 3000
    dns.set_records({f"{kind}3000.test": []})
    wants(bad[7], f"v=TLSRPTv1; rua=mailto:x@{bad[7]}")
    # a resolver remembers its trouble for some seconds
    net.wait_until(lambda: not h.good() and h.waiting() == 0, 120, "answers")
    assert sorted(d["d"] for d in c.stop()[2:]) == [bad[7]], c.got


@row("3000 domains of one owner that give SERVFAIL stop nobody else")
def servfail_of_one(h):
    never_stopped(h, "servfail")


@row("3000 domains of one owner that do not answer stop nobody else")
def silence_of_one(h):
    never_stopped(h, "silent")


@row("600 owners whose nameservers do not answer stop nobody else")
def silence_of_many(h):
    dns.set_records({f"mute{i}.test": ["NS silent.badns.test."]
                     for i in range(600)})
    rua("mute-good.test")
    h.add(*[session(f"mute{i}.test") for i in range(600)],
          session("mute-good.test"))
    c = h.collector()
    h.good()
    assert [d["d"] for d in c.stop()] == ["mute-good.test"], c.got
    assert h.waiting() == 600


@row("too many wait of one owner: they are lost, and nobody else's")
def overflow(h):
    bad = in_trouble("flood.test", 3, "servfail")
    dns.set_records({"small.test": ["NS servfail.badns.test."]})
    h.add(*[session(bad[i % 3]) for i in range(33000)],
          session("small.test"))
    c = h.collector()
    h.good()
    assert h.said("232 sessions dropped, for too many"), h.folder.log
    assert h.waiting() == 32769, h.waiting()
    h.add(session(bad[0]), session("small.test"))
    h.good()
    assert h.said("1 sessions dropped, for too many"), h.folder.log
    assert h.waiting() == 32770, h.waiting()
    dns.set_records({"flood.test": [], "small.test": []})
    rua("small.test")
    net.wait_until(lambda: not h.good() and h.waiting() == 0, 120, "answers")
    assert [d["d"] for d in c.stop()] == ["small.test"] * 2, c.got
    assert h.note().stat().st_size < 100, "what is done is gone"


@row("sessions whose domain cannot be asked are dropped after 48 hours")
def never_asked(h):
    bad = in_trouble("never.test", 2, "servfail")
    h.add(*map(session, bad))
    c = h.collector()
    h.good()
    text = h.note().read_text()
    words = text.splitlines()[1].split()
    assert (words[0], words[3]) == ("w", bad[0]), text
    old = str(int(time.time()) - 48 * 3600 - 60)
    h.note().write_text(text.replace(words[2], old, 1))
    h.good()
    assert h.said("1 sessions dropped, for their domains could not be asked"
                  " within 48 hours"), h.folder.log
    assert h.waiting() == 1
    dns.set_records({"never.test": []})
    rua(bad[1])
    net.wait_until(lambda: not h.good() and h.waiting() == 0, 120, "answers")
    assert [d["d"] for d in c.stop()] == [bad[1]], c.got


# --- Nothing is lost ---------------------------------------------------------------

@row("today's sessions, and a line that is just being written")
def today(h):
    rua("e1.test")
    c = h.collector()
    line = numbered(2, "e1.test", ago=0)
    h.add(line[0], ago=0)
    h.add(line[1][:40], ago=0, end="")
    h.good()
    assert numbers(c.first(1)) == [0]
    h.add(line[1][40:], ago=0, end="")
    h.good()
    assert numbers(c.got) == [0], "its end could still come"
    h.add("", ago=0)
    h.good()
    h.good()
    assert numbers(c.stop()) == [0, 1]


@row("the collector does not read: it waits, nothing is lost or told twice")
def full(h):
    rua("e2.test")
    h.add(*numbered(25, "e2.test"))
    c = h.collector(reading=False)
    h.good()
    assert h.said("sessions wait"), h.folder.log
    first = len(c.drain())
    assert first in QUEUE, first
    c.thread.start()
    h.good()
    assert numbers(c.stop()) == list(range(25))


@row("a slow collector: one run is enough")
def slow(h):
    rua("e3.test")
    h.add(*numbered(200, "e3.test"))
    c = h.collector(reading=False)
    p = h.start("--forward")
    while p.poll() is None:
        time.sleep(0.04)
        c.drain()
    assert p.returncode == 0, p.communicate()
    assert numbers(c.stop()) == list(range(200))


@row("no collector: a fault of this host, and later all of it")
def nobody(h):
    rua("e4.test")
    h.add(*numbered(5, "e4.test"))
    h.good(3)
    assert h.said("collector"), h.folder.log
    c = h.collector()
    c.stop()
    Collector(h.sock, False).sock.close()  # the file, and nobody behind it
    h.good(3)
    c = h.collector()
    h.sock.chmod(0)
    h.good(3)
    h.sock.chmod(0o666)
    h.good()
    assert numbers(c.stop()) == list(range(5))


@row("a collector that goes and comes back")
def restart(h):
    rua("e5.test")
    h.add(*numbered(3000, "e5.test"))
    got, runs = [], 0
    while runs < 50:
        c = h.collector()
        p = h.start("--forward")
        net.wait_until(lambda: len(c.got) > 300 or p.poll() is not None, 30,
                       "sessions")
        got += c.stop()
        runs += 1
        p.communicate(timeout=90)
        if p.returncode == 0:
            break
        assert p.returncode == 3, p.returncode
    assert numbers(got) == list(range(3000)), (runs, len(got))
    assert runs > 1, runs


@row("killed again and again: none is lost, one at most told twice by a kill")
def killed(h):
    rua("e6.test")
    h.add(*numbered(4000, "e6.test"))
    c = h.collector()
    kills = 0
    for _ in range(400):
        p = h.start("--forward")
        before = len(c.got)
        end = time.monotonic() + 30
        while p.poll() is None and len(c.got) == before and \
                time.monotonic() < end:
            pass
        time.sleep(random.random() / 200)
        if p.poll() is None:
            p.send_signal(signal.SIGKILL)
        p.communicate()
        if p.returncode == 0:
            break
        kills += 1
    got = numbers(c.stop())
    assert sorted(set(got)) == list(range(4000)), len(set(got))
    assert kills > 1, kills
    assert len(got) - 4000 <= kills, (len(got), kills)


@row("killed while those that waited are handed over: the same")
def killed_late(h):
    domain, = in_trouble("late.test", 1, "servfail")
    h.add(*numbered(3000, domain))
    c = h.collector()
    h.good()
    assert h.waiting() == 3000 and not c.got
    dns.set_records({"late.test": []})
    rua(domain)
    kills, end = 0, time.monotonic() + 120
    while h.waiting() > 0 and time.monotonic() < end:
        p = h.start("--forward")
        before = len(c.got)
        while p.poll() is None and len(c.got) == before:
            pass
        time.sleep(random.random() / 100)
        if p.poll() is None:
            p.send_signal(signal.SIGKILL)
            kills += 1
        p.communicate()
    got = numbers(c.stop())
    assert sorted(set(got)) == list(range(3000)), len(set(got))
    assert kills > 1, kills
    assert len(got) - 3000 <= kills, (len(got), kills)


@row("killed while it waits for room: nothing is told twice")
def killed_waiting(h):
    rua("e7.test")
    h.add(*numbered(25, "e7.test"))
    c = h.collector(reading=False)
    p = h.start("--forward")
    net.wait_until(lambda: h.passed() > 0, 10, "a note")
    time.sleep(0.5)
    p.kill()
    p.communicate()
    c.drain()
    c.thread.start()
    h.good()
    assert numbers(c.stop()) == list(range(25))


@row("a disk without room for the note: nothing is handed over")
def disk_full(h):
    rua("e8.test")
    net.tmpfs(h.spool, "64k", 0o750)
    shutil.chown(h.spool, OWNER, OWNER)
    h.add(session("e8.test"))
    filler = net.fill(h.spool)
    c = h.collector()
    h.good(3)
    assert not c.got
    filler.unlink()
    h.good()
    assert len(c.stop()) == 1


@row("a damaged note, another file of the same name: from the beginning")
def damaged(h):
    rua("e9.test")
    h.add(*numbered(3, "e9.test"))
    c = h.collector()
    h.good()
    text = h.note().read_text()
    h.note().write_text(text.replace("\n", "x"))
    h.good()
    assert h.said("damaged"), h.folder.log
    assert numbers(c.first(6)) == [0, 1, 2] * 2
    keep = h.spool / "keep"  # so that its inode is not there again
    (h.spool / day(1)).rename(keep)
    h.add(*numbered(3, "e9.test"))
    keep.unlink()
    h.good()
    h.good()
    assert numbers(c.stop()) == [0, 1, 2] * 3
    h.note().unlink()
    h.note().symlink_to("keep")
    h.good(3)


# --- Days ------------------------------------------------------------------------------

@row("no news after 48 hours; days are kept for a while and removed")
def old(h):
    h.configure(more="keep = 2d\n")
    rua("f1.test")
    for ago in (1, 3, 4):
        h.add(*numbered(3, "f1.test", ago=ago), ago=ago)
    h.good(3)
    assert (h.spool / day(1)).exists(), "nobody took it yet"
    assert h.said("3 sessions dropped"), h.folder.log
    assert not (h.spool / day(3)).exists() and not h.note(3).exists()
    assert not (h.spool / day(4)).exists() and not h.note(4).exists()
    c = h.collector()
    h.good()
    assert numbers(c.stop()) == [0, 1, 2]
    assert (h.spool / day(1)).exists() and h.note().exists()


@row("either this or that: nobody is told twice")
def exclusive(h):
    rua("f2.test")
    wants("f3.test", f"v=TLSRPTv1; rua=mailto:r@f3.test")
    h.configure("send")
    h.add(session("f2.test", ago=2), ago=2)
    assert h.run("--dry-run").returncode == 0
    c = h.collector()
    h.good(3)
    r = h.run("--forward")
    assert r.returncode == 3 and "sink = tlsrpt" in r.stderr, r
    h.run("--day", day(2))  # makes the report, sendmail refuses it
    assert (h.spool / "out" / f"{day(2)}~").exists()
    h.configure()
    h.add(session("f3.test"))
    for args in ((), ("--dry-run",), ("--print",)):
        p = h.start(*args)
        out, err = p.communicate()
        assert p.returncode == 3 and "--forward" in err and not out, (out, err)
    assert not c.got
    h.good()
    assert [d["d"] for d in c.stop()] == ["f3.test"], "f2 has its report"
    h.configure("send")
    h.add(session("f3.test"))
    p = h.start()
    p.communicate()
    assert h.said("went to the collector"), h.folder.log
    assert not list((h.spool / "out").glob("*~f3.test*"))
    assert (h.spool / "out" / f"{day(1)}~").exists() and not h.note().exists()


@row("faults of the configuration, of the command line; two runs at once")
def faults(h):
    rua("f4.test")
    h.add(session("f4.test"))
    c = h.collector()
    conf = h.dir / "conf"
    text = conf.read_text()
    conf.write_text(re.sub("tlsrpt_socket.*\n", "", text))
    r = h.run()
    assert r.returncode == 3 and \
        f"{h.inner}/conf:8: sink = tlsrpt requires" in r.stderr, r
    h.configure(contact=False)
    r = h.run()
    assert r.returncode == 3 and "contact" in r.stderr, r
    conf.write_text(text)
    for args in (("--day", day(1)), ("--domain", "f4.test"), ("--print",),
                 ("--dry-run",), ("x",)):
        assert h.run("--forward", *args).returncode == 2, args
    import fcntl
    lock = h.spool / "~report"
    lock.touch()
    shutil.chown(lock, OWNER, OWNER)
    with lock.open("r+") as f:
        fcntl.lockf(f, fcntl.LOCK_EX)
        h.good()
        assert not c.got
    h.good()
    assert len(c.stop()) == 1


@row("2000 domains, every tenth wants a report")
def many(h):
    dns.set_records({f"_smtp._tls.m{i}.test": [dns.txt(
        f"v=TLSRPTv1; rua=mailto:r@m{i}.test")] for i in range(0, 2000, 10)})
    h.add(*[session(f"m{i % 2000}.test") for i in range(6000)])
    c = h.collector()
    since = dns.mark()
    h.good()
    got = [d["d"] for d in c.stop()]
    assert got == [f"m{i}.test" for i in range(0, 2000, 10)] * 3, len(got)
    assert dns.asked(since, "_smtp._tls.m10.test") == 1


# --- The world -------------------------------------------------------------------------

def build_world(path: Path) -> None:
    global BUILD
    BUILD = path.resolve()
    net.build()
    ca.build()
    dns.build()


def compile_all(build: Path) -> None:
    for release in debian.BUILD:
        path = debian.folder(release)
        debian.compile_in(release, debian.out_dir(build, release))
        print(f"# {debian.BUILD[release]}: libtlsrpt "
              f"{debian.version(path, 'libtlsrpt0')}", flush=True)


def all_rows(build: Path) -> list[rows.Row]:
    found = []
    for release in debian.BUILD:
        folder = Folder(release, debian.out_dir(build, release))
        folder.mount()
        found += [(f"{debian.BUILD[release]}: {name}",
                   lambda fn=fn, folder=folder: fn(Host(folder)))
                  for name, fn in ROWS]
    return found


if __name__ == "__main__":
    sys.exit(rows.main(__doc__, __file__, build_world, all_rows,
                       prepare=compile_all))
