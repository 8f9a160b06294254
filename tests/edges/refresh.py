#!/usr/bin/python3 -B
# SPDX-License-Identifier: ISC
"""`mtasts refresh`, and policy hosts that nobody can connect to.

  refresh.py [--build DIR] [WORD...]   all rows, or those whose name has a word

The command and its worker run in the private world of tests/world, with a
real DNS and real policy hosts; what counts is what those saw, what the cache
has then, and what the log says.  Output and status as of prefetch.py.
"""
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import syslog
import threading
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "world"))

import ca
import dns
import entry
import https
import net
import rows
import worker

OWNER = 65534
ENV = {"PATH": "/usr/bin:/bin", "ASAN_OPTIONS": "detect_leaks=0"}
HOUR, DAY = 3600, 86400
SYSLOG = net.ROOT / "syslog"
MANY = [f"d{i}.many.test" for i in range(200)]
OWNERS = [f"m.owner{i}.test" for i in range(12)]  # each of somebody else
CA = ca.DIR / "ca.pem"
POLICY = "version: STSv1\nmode: {}\nmx: *.test\nmax_age: 604800\n"
LOCK = 1 << 62  # STS_LOCK_REFRESH


class Cache:
    """A cache, its configuration and the command on it."""
    count = 0

    def __init__(self, build: Path, flavour: str, timeout: int = 15) -> None:
        Cache.count += 1
        self.mtasts = str(build / "modules/cli/mtasts")
        self.worker = f"mtasts-fetch-{flavour}"
        self.dir = net.ROOT / f"cache{Cache.count}"
        self.dir.mkdir(mode=0o750)
        shutil.chown(self.dir, OWNER, OWNER)
        self.conf = net.ROOT / f"conf{Cache.count}"
        self.conf.write_text(
            f"cache_dir = {self.dir}\nworker_dir = {build}/modules/worker\n"
            f"worker_flavour = {flavour}\nfetch_timeout = {timeout}s\n"
            # Not the whole bundle: GnuTLS reads it for each GET.
            f"ca_file = {CA}\n")
        self.since = SYSLOG.stat().st_size

    def argv(self, *args: str) -> list[str]:
        return [self.mtasts, "-c", str(self.conf), *args]

    def run(self, *args: str, **kw) -> subprocess.CompletedProcess:
        return subprocess.run(self.argv(*args), env=ENV, text=True, timeout=180,
                              capture_output=True, check=False, **kw)

    def refresh(self, want: int = 0, **kw) -> tuple[dict, dict]:
        """What is said of each domain, and the sum."""
        r = self.run("refresh", "--json", **kw)
        assert r.returncode == want, r
        lines = [json.loads(x) for x in r.stdout.splitlines()]
        return {x["domain"]: x for x in lines[:-1]}, lines[-1]

    def query(self, domain: str) -> tuple[int, dict]:
        r = self.run("query", "--json", domain)
        return r.returncode, json.loads(r.stdout)

    def known(self, *domains: str) -> None:
        """Each has its policy in the cache, fetched now."""
        w = worker.Worker(
            str(Path(self.mtasts).parents[1] / "worker" / self.worker), "-c",
            str(self.conf), "--serve", env=ENV, user=OWNER, group=OWNER,
            extra_groups=[])
        w.ask(*domains)
        eq({w.answer().use for _ in domains}, {"policy"})
        eq(w.finish(), 0)

    def path(self, domain: str) -> Path:
        return next(self.dir.glob(f"??/{domain}"))

    def age(self, domain: str, seconds: int, lives: int = 7 * DAY,
            unused: int = 0, **more: int) -> None:
        """Its policy was fetched so long ago, and lives so long from now."""
        entry.age(self.path(domain), unused, **{
            "since": seconds, "fetched": seconds, "checked": seconds,
            "expires": -lives, **more})

    def fetched(self, domain: str) -> int:
        return int(re.search(r"^fetched (\d+)", self.path(domain).read_text(),
                             re.M)[1])

    def mark(self, name: str, age: float = 0) -> None:
        p = self.dir / name
        p.touch()
        shutil.chown(p, OWNER, OWNER)
        os.utime(p, (time.time() - age, time.time() - age))

    def log(self, word: str) -> list[str]:
        """The lines with that word since this cache is there."""
        # A worker logs after it has answered.
        net.wait_until(lambda: not net.running(self.worker), 20, "its end")
        last = f"heard {time.monotonic_ns()}"
        syslog.syslog(last)
        net.wait_until(lambda: last.encode() in SYSLOG.read_bytes(), 20, last)
        with SYSLOG.open("rb") as f:
            f.seek(self.since)
            return [x for x in f.read().decode().splitlines() if word in x]


def listen_syslog() -> None:
    """All that is logged goes into one file."""
    up, work = net.ROOT / "overlay/dev/up", net.ROOT / "overlay/dev/work"
    up.mkdir(parents=True)
    work.mkdir()
    net.sh("mount", "-t", "overlay", "overlay", "-o",
           f"lowerdir=/dev,upperdir={up},workdir={work}", "/dev")
    for name in ("pts", "shm"):
        Path("/dev", name).mkdir(exist_ok=True)
    net.sh("mount", "-t", "devpts", "-o", "ptmxmode=666", "pts", "/dev/pts")
    net.sh("mount", "-t", "tmpfs", "shm", "/dev/shm")
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    s.bind("/dev/log")
    os.chmod("/dev/log", 0o666)
    SYSLOG.write_bytes(b"")

    def listen() -> None:
        with SYSLOG.open("ab", buffering=0) as f:
            while True:
                f.write(s.recv(65536).rstrip(b"\0\n") + b"\n")

    threading.Thread(target=listen, daemon=True).start()


def eq(got, want) -> None:
    assert got == want, f"\n#   got    {got}\n#   wanted {want}"


def gets(since: list[int], *domains: str) -> list[int]:
    return [len(https.requests(since, d)) for d in domains]


ROWS = []


def row(name: str):
    def add(fn):
        ROWS.append((name, fn))
        return fn
    return add


# --- The daily refresh -----------------------------------------------------------

@row("RFC 8461 3.3: a GET for what is in use and a day old, whatever its mode")
def due(new):
    a, young, unused, none, off, pinned = MANY[:6]
    c = new()
    https.put(none, POLICY.format("none"))
    r = c.run("refresh")
    eq((r.returncode, r.stdout, r.stderr), (0, "0 refreshed, 0 not refreshed, "
                                            "0 left for the next run, 0 removed\n", ""))
    c.known(a, young, unused, none, off, pinned)
    c.conf.write_text(f'{c.conf.read_text()}[domain "{off}"]\nmode = off\n'
                      f'[domain "{pinned}"]\nmx = mx.{pinned}\n')
    for x in (a, none, off, pinned):
        c.age(x, 22 * HOUR, unused=20 * DAY)
    c.age(young, 11 * HOUR)
    c.age(unused, 3 * DAY, unused=36 * DAY)
    since = https.mark()
    done, total = c.refresh()
    eq(gets(since, a, young, unused, none, off, pinned), [1, 0, 0, 1, 0, 0])
    eq(sorted(done), sorted([a, none]))
    eq((done[a]["refreshed"], done[a]["why"]), (True, None))
    eq(total, {"refreshed": 2, "failed": 0, "left": 0, "removed": 0,
               "outbound_443_blocked": None})
    # Nobody used it: it still goes the way of what is not used.
    assert time.time() - c.path(a).stat().st_mtime > 19 * DAY
    eq(c.refresh()[1]["refreshed"], 0)
    eq(gets(since, a, none), [1, 1])


@row("RFC 8461 10.2: before it expires, where it lives for hours")
def short(new):
    c, d = new(), MANY[0]
    c.known(d)
    c.age(d, 3 * HOUR, lives=HOUR)
    since = https.mark()
    eq(c.refresh()[1]["refreshed"], 1)
    eq(gets(since, d), [1])
    eq(c.query(d)[1]["verdict"], "policy")


@row("those first that expire first, and behind them those that failed")
def order(new):
    c = new()
    c.known(*MANY)
    for i, d in enumerate(MANY):
        c.age(d, 2 * DAY, lives=DAY + i * HOUR)
    failing = MANY[:10]
    for d in failing:
        c.age(d, 2 * DAY, lives=HOUR, checked=2 * HOUR, failed=2 * HOUR)
    since = https.mark()
    eq(c.refresh()[1]["refreshed"], len(MANY))
    at = [(https.requests(since, d)[0]["t"], i) for i, d in enumerate(MANY)]
    seen = [i for _, i in sorted(at)]
    # 64 are on their way at once.
    assert max(seen[:30]) < 10 + 64 + 30, seen
    assert not set(seen[:100]) & set(range(10)), seen


def plant_day_old(c: Cache) -> None:
    c.known(*MANY)
    for i, d in enumerate(MANY):
        c.age(d, 2 * DAY, lives=DAY + i * HOUR)


@row("with no more than the capabilities that its unit leaves it")
def capabilities(new):
    c = new()
    c.known(*MANY[:3])
    for d in MANY[:3]:
        c.age(d, 2 * DAY, lives=DAY)
    unit = net.REPO / "packaging/refresh/mtasts-refresh.service"
    caps = re.search(r"^CapabilityBoundingSet=(.+)$", unit.read_text(), re.M)
    left = ",".join("+" + w[4:].lower() for w in caps[1].split())
    p = subprocess.run(["setpriv", f"--bounding-set=-all,{left}",
                        *c.argv("refresh", "--json")], env=ENV, text=True,
                       timeout=180, capture_output=True, check=False)
    eq((p.returncode, p.stderr), (0, ""))
    eq(json.loads(p.stdout.splitlines()[-1])["refreshed"], 3)


@row("killed in the middle: the next run goes on, and nothing is done twice")
def killed(new):
    c = new()
    plant_day_old(c)
    since = https.mark()
    p = subprocess.Popen(c.argv("refresh"), env=ENV,
                         stdout=subprocess.DEVNULL)
    net.wait_until(lambda: sum(gets(since, *MANY[:60])) > 20, 60, "requests")
    p.send_signal(signal.SIGKILL)
    p.wait()
    net.wait_until(lambda: not net.running(c.worker), 20, "end of the worker")
    had = [d for d in MANY if c.fetched(d) > time.time() - HOUR]
    assert 0 < len(had) < len(MANY), had
    done, total = c.refresh()
    eq(total, {"refreshed": len(MANY) - len(had), "failed": 0, "left": 0,
               "removed": 0, "outbound_443_blocked": None})
    eq(set(done), set(MANY) - set(had))
    # Of those that were on their way nobody knows how far they were.
    eq(set(gets(since, *had)), {1})
    assert max(gets(since, *MANY)) <= 2


@row("a worker that ends in the middle is started again")
def worker_killed(new):
    c = new()
    plant_day_old(c)
    since = https.mark()
    p = subprocess.Popen(c.argv("refresh", "--json"), env=ENV, text=True,
                         stdout=subprocess.PIPE)
    net.wait_until(lambda: sum(gets(since, *MANY[:60])) > 20, 60, "requests")
    for pid in net.running(c.worker):
        os.kill(pid, signal.SIGKILL)
    out = p.communicate(timeout=120)[0].splitlines()
    eq(p.returncode, 0)
    eq(json.loads(out[-1])["refreshed"], len(MANY))
    assert sum(gets(since, *MANY)) <= len(MANY) + 64


@row("as the owner of the cache; and two at once are one")
def owner(new):
    c = new()
    c.known(MANY[0])
    c.age(MANY[0], 22 * HOUR)
    with (c.dir / "~lock").open("r+b") as f:
        shutil.chown(f.name, OWNER, OWNER)
        fcntl.fcntl(f, fcntl.F_SETLK, struct.pack(
            "hhqqi", fcntl.F_WRLCK, os.SEEK_SET, LOCK, 1, 0))
        r = c.run("refresh")
        eq((r.returncode, r.stdout), (1, ""))
        assert "under way" in r.stderr, r
    done, _ = c.refresh(user=OWNER, group=OWNER, extra_groups=[])
    eq(done[MANY[0]]["refreshed"], True)


UNIT = net.REPO / "packaging/refresh/mtasts-refresh.service"


@row("as the unit of systemd has it started")
def unit(new):
    c = new()
    c.known(MANY[0])
    c.age(MANY[0], 22 * HOUR)
    caps = re.search(r"^CapabilityBoundingSet=(.*)$", UNIT.read_text(), re.M)[1]
    r = subprocess.run(
        ["setpriv", "--no-new-privs", "--bounding-set", "-all," + ",".join(
            "+" + x.removeprefix("CAP_").lower() for x in caps.split()),
         *c.argv("refresh")], env=ENV, text=True, capture_output=True,
        timeout=60, check=False)
    assert r.returncode == 0 and r.stdout.startswith("1 refreshed, "), r


@row("RFC 8461 3.3: what cannot be refreshed stays, and the log says so once a day")
def failing(new):
    a, none, no_txt, refused = "fail.test", "failnone.test", "gone.test", \
        "refused.test"
    for d in (a, none, no_txt, refused):
        dns.set_records({f"mta-sts.{d}": ["A " + https.address({})],
                         f"_mta-sts.{d}": [dns.txt("v=STSv1; id=1;")]})
        https.put(d, POLICY.format("none" if d == none else "enforce"))
    c = new()
    c.known(a, none, no_txt, refused)
    https.put(a, None)
    https.put(none, None)
    dns.set_records({f"_mta-sts.{no_txt}": [],
                     f"mta-sts.{refused}": ["A " + https.address("refused")]})
    for n in range(2):
        for d in (a, none, no_txt, refused):
            c.age(d, 2 * DAY, lives=5 * DAY + 60, checked=2 * HOUR,
                  failed=2 * HOUR)
        done, total = c.refresh(1)
        eq(total["failed"], 4)
        eq({d: x["refreshed"] for d, x in done.items()},
           dict.fromkeys((a, none, no_txt, refused), False))
        assert "HTTP status 404" in done[a]["why"], done
        assert "no connection" in done[refused]["why"], done
        eq(done[no_txt]["why"], "no-record")
        eq(c.query(a)[1]["verdict"], "policy")
        said = c.log("not to be had")
        eq(sorted(re.search(r"\]: (\S+): cached", x)[1] for x in said),
           sorted([a, no_txt, refused]))
        assert any("for another 120 h" in x and "404" in x for x in said), said
        # A second run in the same hour lets them be.
        eq(c.refresh()[1]["failed"], 0)
    for f in c.dir.glob("??/*~warned"):
        os.utime(f, (time.time() - DAY - 5,) * 2)
    c.age(a, 2 * DAY, lives=5 * DAY, failed=2 * HOUR)
    c.refresh(1)
    eq(len(c.log("not to be had")), 4)


@row("no name server answers: nothing is begun, and what is due is left")
def resolver_down(new):
    c = new()
    c.known(*MANY[:5])
    for d in MANY[:5]:
        c.age(d, 2 * DAY)
    c.mark("~resolver-down", 2)
    _, total = c.refresh(1)
    eq((total["refreshed"], total["failed"], total["left"]), (0, 0, 5))
    eq(c.log("not to be had"), [])


@row("a fault of this host: status 3, and no policy is lost")
def local(new):
    c = new()
    c.known(MANY[0])
    c.age(MANY[0], 2 * DAY)
    good = c.conf.read_text()
    c.conf.write_text(good.replace(str(CA), f"{CA}-gone"))
    r = c.run("refresh")
    eq(r.returncode, 3)
    assert f"{MANY[0]}: not refreshed: " in r.stdout, r
    eq(c.query(MANY[0])[1]["verdict"], "policy")
    c.conf.write_text(good.replace("worker_dir = ", "worker_dir = /none"))
    c.age(MANY[0], 2 * DAY, tried=2 * HOUR)
    r = c.run("refresh")
    eq(r.returncode, 3)
    assert "mtasts-fetch-" in r.stderr and "1 left" in r.stdout, r


@row("the cache is pruned")
def prune(new):
    c = new()
    c.known(MANY[0], MANY[1])
    c.age(MANY[0], 30 * DAY, lives=-12 * DAY, unused=30 * DAY)
    tidied = c.path(MANY[0]).parent / "~tidied"
    tidied.touch()
    shutil.chown(tidied, OWNER, OWNER)
    os.utime(tidied, (time.time() - 2 * DAY,) * 2)
    eq(c.refresh()[1]["removed"], 1)
    eq([c.query(d)[1]["source"] for d in (MANY[0], MANY[1])],
       ["network", "cache"])


@row("on a terminal: how far it is")
def progress(new):
    c = new()
    plant_day_old(c)
    master, slave = pty.openpty()
    p = subprocess.Popen(c.argv("refresh"), env={**ENV, "TERM": "vt100"},
                         stdout=subprocess.PIPE, stderr=slave)
    os.close(slave)
    seen = b""
    try:
        while got := os.read(master, 4096):
            seen += got
    except OSError:
        pass
    eq(p.wait(60), 0)
    assert re.search(rb"\r\x1b\[K\d+ of 200", seen), seen
    assert seen.endswith(b"\r\x1b[K"), seen


# --- Port 443 --------------------------------------------------------------------

def move(domains: list[str], place: str | dict) -> None:
    """Their policy hosts are there from now on."""
    dns.set_records({f"mta-sts.{d}": [f"A {https.address(place)}"]
                     for d in domains})


@row("nobody of eight owners can be connected to: the log and query say so")
def blocked(new):
    c = new(timeout=3)
    refused, silent = OWNERS[:4], OWNERS[4:8]
    move(refused, "refused")
    move(silent, "blackhole")
    try:
        for d in OWNERS[:7]:
            eq(c.query(d)[1]["outbound_443_blocked"], None)
        # More names of theirs, and hosts that do take connections.
        for d in (f"x.{OWNERS[0]}", f"y.{OWNERS[1]}"):
            dns.set_records({f"_mta-sts.{d}": [dns.txt("v=STSv1; id=1;")],
                             f"mta-sts.{d}":
                             [f"A {https.address('refused')}"]})
            eq(c.query(d)[1]["outbound_443_blocked"], None)
        eq(c.log("blocked"), [])
        rc, j = c.query(OWNERS[7])
        # It is a failure of the other side: RFC 8461 3.3.
        eq((rc, j["verdict"], j["outbound_443_blocked"]["owners"]),
           (1, "none", 8))
        r = c.run("query", OWNERS[7])
        assert "port 443: blocked? no policy host of 8 owners" in r.stdout, r
        c.run("query", "--fresh", f"x.{OWNERS[2]}")
        said, = c.log("blocked")
        assert f"no policy host of 8 owners could be connected to for 0 min, " \
            f"the last was mta-sts.{OWNERS[7]}: is outgoing TCP" in said, said
        os.utime(c.dir / "~unreached-said", (time.time() - HOUR - 5,) * 2)
        c.run("cache", "refresh", OWNERS[0])
        eq(len(c.log("blocked")), 2)
        eq(len((c.dir / "~unreached").read_text().splitlines()), 8)
        # One connection is enough, whatever comes over it.
        move(OWNERS[:1], "tls-stall")
        c.run("cache", "refresh", OWNERS[0])
        eq(c.query(OWNERS[1])[1]["outbound_443_blocked"], None)
        assert not (c.dir / "~unreached").exists()
    finally:
        move(OWNERS, {})


@row("what was so a day ago says nothing, nor does a file of another's making")
def blocked_old(new):
    c = new()
    c.known(MANY[0])
    now = int(time.time())
    path = c.dir / "~unreached"
    lines = "".join(f"{now - 60} o{i}.test\n" for i in range(8))
    for text, age, owners in ((lines, 10, 8), (lines, DAY + 10, None),
                              (lines[:-8], 10, None), ("x\n" * 8, 10, None),
                              ("\0" * 9000, 10, None), (lines * 99, 10, None),
                              (lines, -DAY, None)):
        path.write_text(text)
        c.mark("~unreached", age)
        got = c.query(MANY[0])[1]["outbound_443_blocked"]
        eq(got and got["owners"], owners)
        if age > DAY:  # the next one is the first
            move(OWNERS[:1], "refused")
            try:
                c.query(OWNERS[0])
            finally:
                move(OWNERS[:1], {})
            eq(path.read_text().split()[1:], ["owner0.test"])


def near(*words: str) -> None:
    net.sh("ip", *words)


@row("the kernel refuses to connect: mail waits, and the reason is told")
def prohibited(new):
    for kind, why in (("prohibit", "Permission denied"),
                      ("unreachable", "No route to host"),
                      ("blackhole", "Invalid argument")):
        c = new()
        near("route", "add", kind, "198.18.1.0/24")
        try:
            rc, j = c.query(OWNERS[0])
            eq(rc, 3)
            eq(j["error"], "this host has no route to the policy host: " + why)
            for d in OWNERS[1:9]:
                c.query(d)
            assert c.log("443 blocked"), c.log("")
        finally:
            near("route", "del", kind, "198.18.1.0/24")
        eq(c.query(OWNERS[0])[1]["verdict"], "policy")
        eq(c.query(OWNERS[9])[1]["outbound_443_blocked"], None)


@row("no route for any address is ours where we have no other, else theirs")
def no_route(new):
    c, d = new(), OWNERS[0]
    c.known(MANY[0])
    c.age(MANY[0], 2 * DAY)
    dns.set_records({f"mta-sts.{x}": ["A 203.0.113.1", "A 203.0.113.2"]
                     for x in (d, MANY[0])})
    try:
        rc, j = c.query(d)
        eq((rc, j.get("error")), (3, "this host has no route to the policy "
                                  "host: Network is unreachable"))
        # A policy that is known stays: RFC 8461 3.3.
        r = c.run("refresh")
        eq(r.returncode, 3)
        eq(c.query(MANY[0])[1]["verdict"], "policy")
        # A private address is theirs, whatever we do with such routes.
        near("route", "add", "blackhole", "10.0.0.0/8")
        try:
            move([OWNERS[1]], "private")
            eq(c.query(OWNERS[1])[1].get("verdict"), "none")
        finally:
            near("route", "del", "blackhole", "10.0.0.0/8")
        # The Internet is there by IPv6: no A record alone is our fault.
        near("-6", "route", "add", "default", "via", net.FAR6)
        try:
            rc, j = c.query(d)
            eq((rc, j["verdict"]), (1, "none"))
        finally:
            near("-6", "route", "del", "default")
    finally:
        move([d, MANY[0], OWNERS[1]], {})


# --- Running --------------------------------------------------------------------

def build_world(_: Path) -> None:
    net.build()
    listen_syslog()
    ca.build()
    domains = [*MANY, *OWNERS, "fail.test", "failnone.test", "gone.test",
               "refused.test"]
    https.build([({}, d) for d in domains])
    zone = {}
    for d in (*MANY, *OWNERS):
        https.put(d, POLICY.format("enforce"))
        zone[f"_mta-sts.{d}"] = [dns.txt("v=STSv1; id=1;")]
        zone[f"mta-sts.{d}"] = ["A " + https.address({})]
    dns.set_records(zone, reload=False)
    dns.build()
    dns.set_records({})


def all_rows(path: Path) -> list[rows.Row]:
    return [(f"{flavour}: {name}", partial(fn, partial(Cache, path, flavour)))
            for name, fn in ROWS for flavour in ("openssl", "gnutls")]


if __name__ == "__main__":
    sys.exit(rows.main(__doc__, __file__, build_world, all_rows))
