#!/usr/bin/python3 -B
# SPDX-License-Identifier: ISC
"""The worker's MX sets and probes, against a real DNS and real listeners.

  prefetch.py [--build DIR] [WORD...]   all rows, or those whose name has a word

Runs `mtasts-fetch-* --serve` in the private world of tests/world and reads
what it stored with `mtasts cache show`.  One line of verdict per row, and at
the end "N passed, N failed".  Status 0: all passed; 1: some failed; 2: the
world could not be built.
"""
import base64
import fcntl
import json
import os
import random
import re
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "world"))

import ca
import dns
import dnsd
import https
import net
import rows
import worker

OWNER = 65534
UP = [f"198.18.128.{i}" for i in range(1, 60)]  # take connections
UP6 = "2001:db8:25::1"
CLOSED = ["198.18.129.1", "198.18.129.2"]  # refuse them
SILENT = ["198.18.66.1", "198.18.66.2"]  # say nothing
DENIED = "198.18.130.1"
FREEZES = "198.18.130.2"
HEAVY = "198.18.130.3"  # TLS with a group that costs a second of processor time
LOG = net.ROOT / "listen.log"
# A sanitizer cannot look for leaks from inside the worker's sandbox, and what
# it keeps of freed memory is not what the memory row is about.
ENV = {"PATH": "/usr/bin:/bin",
       "ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=1"}
SLACK = float(os.environ.get("MTASTS_SLACK", "2.3"))
# A worker that makes a system call that its sandbox does not know is killed.
STRICT = ["--strict"] if "MTASTS_STRICT" in os.environ else []


# --- The far side -------------------------------------------------------------

def listen(log: str, addrs: list[str]) -> None:
    """Accept on port 25 of each, note it, close."""
    fds = {}
    poll = select.poll()
    for a in addrs:
        s = socket.socket(socket.AF_INET6 if ":" in a else socket.AF_INET)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((a, 25))
        s.listen(64)
        fds[s.fileno()] = (s, a)
        poll.register(s, select.POLLIN)
    with open(log, "a", buffering=1, encoding="utf-8") as f:
        f.write("ready\n")
        while True:
            for fd, _ in poll.poll():
                s, a = fds[fd]
                s.accept()[0].close()
                f.write(a + "\n")


def freeze(log: str, addr: str, stem: str) -> None:
    """TLS 1.2; ask for a second handshake, and hear nothing any more."""
    s = socket.create_server((addr, 443))
    while True:
        with s.accept()[0] as c, subprocess.Popen(
                ["openssl", "s_server", "-tls1_2", "-accept",
                 "127.0.0.1:4433", "-cert", stem + ".pem", "-key",
                 stem + ".key"], stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL) as p:
            _relay(c, p, log)
            p.kill()


def _relay(c: socket.socket, p: subprocess.Popen, log: str) -> None:
    while True:
        try:
            o = socket.create_connection(("127.0.0.1", 4433))
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    poll = select.poll()
    poll.register(c, select.POLLIN)
    poll.register(o, select.POLLIN)
    deaf = False
    while ready := poll.poll(30000 if deaf else 700) or not deaf:
        if ready is True:  # the handshake is over, and the GET is there
            deaf = True
            poll.modify(c, select.POLLRDHUP)
            p.stdin.write(b"r\n")
            p.stdin.flush()
            continue
        fd = ready[0][0]
        data = (c if fd == c.fileno() else o).recv(65536)
        if not data or deaf and fd == c.fileno():
            return
        (o if fd == c.fileno() else c).sendall(data)
        if deaf:
            with open(log, "a", encoding="utf-8") as f:
                f.write("HelloRequest\n")


def dh_group(bits: int) -> str:
    """Nobody looks whether it is a prime."""
    p = (random.getrandbits(bits) | 1 << bits - 1 | 1).to_bytes(bits // 8 + 1,
                                                               "big")
    both = b"\2\x82" + len(p).to_bytes(2, "big") + p + b"\2\1\2"
    der = b"0\x82" + len(both).to_bytes(2, "big") + both
    return ("-----BEGIN DH PARAMETERS-----\n"
            + base64.encodebytes(der).decode()
            + "-----END DH PARAMETERS-----\n")


def probed(since: int) -> list[str]:
    """Addresses connected to since the log had that length."""
    time.sleep(0.1)
    return LOG.read_text()[since:].split()


# --- The near side ------------------------------------------------------------

def fnv(data: bytes) -> int:
    h = 14695981039346656037
    for c in data:
        h = (h ^ c) * 1099511628211 % (1 << 64)
    return h


class Cache:
    """A cache and a configuration of their own; and workers on them."""
    count = 0

    def __init__(self, build: Path, flavour: str, *pinned: str,
                 head: str = "", sections: str = "",
                 on: "Cache | None" = None) -> None:
        Cache.count += 1
        self.build, self.flavour = build, flavour
        self.dir = on.dir if on else net.ROOT / f"cache{Cache.count}"
        self.dir.mkdir(mode=0o750, exist_ok=True)
        shutil.chown(self.dir, OWNER, OWNER)
        self.conf = net.ROOT / f"conf{Cache.count}"
        text = (f"cache_dir = {self.dir}\ndeny_networks = 127.0.0.0/8 "
                f"{DENIED}/32\n{head}")
        for d in pinned:
            text += f'[domain "{d}"]\nmx = *.{d} {d} *.prov.test\n'
        self.conf.write_text(text + sections)
        self.since = LOG.stat().st_size

    def start(self, how: str = "--serve") -> worker.Worker:
        return worker.Worker(
            str(self.build / f"modules/worker/mtasts-fetch-{self.flavour}"),
            "-c", str(self.conf), how, *STRICT, env=ENV,
            user=OWNER, group=OWNER, extra_groups=[])

    def serve(self, *wishes: str) -> tuple[list[worker.Answer], float]:
        """Answers, and the seconds until the last."""
        p = self.start()
        began = time.monotonic()
        p.ask(*wishes)
        out = [p.answer() for _ in wishes]
        took = time.monotonic() - began
        status = p.finish()
        assert status == 0, f"status {status}: {out}"
        return out, took

    def show(self, domain: str, *args: str) -> str:
        p = subprocess.run(
            [str(self.build / "modules/cli/mtasts"), "-c", str(self.conf),
             "cache", "show", *args, domain], text=True,
            capture_output=True, check=False)
        return p.stdout

    def mx(self, domain: str) -> dict | None:
        """The stored set."""
        return json.loads(self.show(domain, "--json")).get("mx_set")

    def hosts(self, domain: str) -> list[str]:
        """"PREFERENCE HOST" and "!" for this machine, by preference."""
        s = self.mx(domain)
        return [f"{h['preference']} {h['host']}{'!' * h['self']}"
                for h in s["hosts"]] if s else []

    def addresses(self, domain: str) -> list[list[str]]:
        return [[a["address"] for a in h["addresses"]]
                for h in self.mx(domain)["hosts"]]

    def probed(self) -> list[str]:
        return sorted(probed(self.since))

    def marked(self, addr: str, what: str) -> bool:
        return (self.dir / "~mx" / f"{addr}~{what}").exists()

    def mark(self, path: str, age: float = 0) -> None:
        p = self.dir / path
        p.parent.mkdir(exist_ok=True)
        p.touch()
        for x in (p.parent, p):
            shutil.chown(x, OWNER, OWNER)
        os.utime(p, (time.time() - age, time.time() - age))

    def of(self, domain: str, what: str) -> str:
        """Where a file about a domain stands: nobody can tell before."""
        if not list(self.dir.glob(f"??/{domain}*")):
            self.serve(domain)
        first = next(self.dir.glob(f"??/{domain}*"))
        return f"{first.parent.name}/{domain}{what}"

    def grow_old(self, domain: str, seconds: int) -> None:
        """The DNS's answer came so long ago."""
        path = self.dir / self.of(domain, "~mx")
        head, text = path.read_text().split("\n", 1)
        text = re.sub(r"asked (\d+) until (\d+)", lambda m: "asked "
                      f"{int(m[1]) - seconds} until {int(m[2]) - seconds}",
                      text)
        h = fnv((domain + text).encode())
        path.write_text(f"{head.split()[0]} {len(text)} "
                        f"{(h ^ h >> 32) & 0xffffffff:08x}\n{text}")


def eq(got, want) -> None:
    assert got == want, f"\n#   got    {got}\n#   wanted {want}"


def zone(domain: str, *hosts: tuple) -> None:
    """MX records (preference, addresses...) of hosts h0, h1 ... ."""
    records = {domain: []}
    for i, (pref, *addrs) in enumerate(hosts):
        records[domain].append(f"MX {pref} h{i}.{domain}.")
        records[f"h{i}.{domain}"] = [
            f"{'AAAA' if ':' in a else 'A'} {a}" for a in addrs]
    ZONE.update(records)


# --- Rows -----------------------------------------------------------------------
# Each takes a maker of caches; its records are in the zone before it runs.

ROWS = []
ZONE: dict[str, list[str]] = {}


def row(name: str):
    def add(fn):
        ROWS.append((name, fn))
        return fn
    return add


zone("order.test", (30, UP[2]), (10, UP[0]), (20, UP[1]))


@row("RFC 5321 5.1 MX hosts by preference")
def order(new):
    c = new("order.test")
    eq(c.serve("order.test mx")[0][0][:2], ("order.test", "none"))
    eq(c.hosts("order.test"),
       ["10 h1.order.test", "20 h2.order.test", "30 h0.order.test"])
    eq(c.addresses("order.test"), [[UP[0]], [UP[1]], [UP[2]]])
    eq(c.mx("order.test")["kind"], "hosts")
    eq(c.probed(), [UP[0]])  # it answered; nobody else was bothered


@row("without the wish there is no set and no probe")
def no_wish(new):
    c = new("order.test")
    since = dns.mark()
    c.serve("order.test")
    eq(c.probed(), [])
    eq(dns.asked(since, "order.test", "MX"), 0)


ZONE["many.test"] = [f"MX {100 - i} m{i}.many.test." for i in range(40)]
for _i in range(40):
    ZONE[f"m{_i}.many.test"] = [f"A {UP[_i]}"]


@row("more than 32 hosts: the best 32")
def many(new):
    c = new("many.test")
    c.serve("many.test mx")
    eq(c.hosts("many.test"),
       [f"{100 - i} m{i}.many.test" for i in range(39, 7, -1)])
    eq(c.probed(), [UP[39]])


ZONE["twice.test"] = ["MX 20 h.twice.test.", "MX 10 h.twice.test.",
                      "MX 15 192.0.2.1."]
ZONE["h.twice.test"] = [f"A {UP[0]}"]


@row("one host in two records, and an address for a name")
def twice(new):
    c = new("twice.test")
    c.serve("twice.test mx")
    eq(c.hosts("twice.test"), ["10 h.twice.test"])


ZONE["implicit.test"] = [f"A {UP[3]}", f"AAAA {UP6}"]


@row("RFC 5321 5.1 implicit MX")
def implicit(new):
    c = new("implicit.test")
    c.serve("implicit.test mx")
    eq(c.mx("implicit.test")["kind"], "implicit")
    eq(c.hosts("implicit.test"), ["0 implicit.test"])
    eq(c.addresses("implicit.test"), [[UP[3], UP6]])
    eq(c.probed(), [UP[3], UP6])


ZONE["nullmx.test"] = ["MX 0 .", f"A {UP[0]}"]


@row("RFC 7505 null MX")
def nullmx(new):
    c = new("nullmx.test")
    c.serve("nullmx.test mx")
    eq((c.mx("nullmx.test")["kind"], c.hosts("nullmx.test")), ("null", []))


ZONE["txtonly.test"] = ["TXT x"]


@row("no such domain, and one without MX and address")
def nothing(new):
    c = new("nowhere.test", "txtonly.test")
    c.serve("nowhere.test mx", "txtonly.test mx")
    eq(c.mx("nowhere.test")["kind"], "nothing")
    eq(c.mx("txtonly.test")["kind"], "nothing")


zone("noaddr.test", (10,), (20, UP[4]))


@row("a host without addresses is kept")
def noaddr(new):
    c = new("noaddr.test")
    c.serve("noaddr.test mx")
    eq(c.hosts("noaddr.test"), ["10 h0.noaddr.test", "20 h1.noaddr.test"])
    eq(c.addresses("noaddr.test"), [[], [UP[4]]])
    eq(c.probed(), [UP[4]])


zone("six.test", (10, UP6))


@row("AAAA only")
def six(new):
    c = new("six.test")
    c.serve("six.test mx")
    eq(c.addresses("six.test"), [[UP6]])
    eq(c.probed(), [UP6])


zone("twenty.test", (10, *UP[20:40], UP6))


@row("20 addresses: 8, of both families")
def twenty(new):
    c = new("twenty.test")
    c.serve("twenty.test mx")
    got = c.addresses("twenty.test")[0]
    eq((len(got), UP6 in got), (8, True))


zone("self.test", (10, UP[0]), (20, net.NEAR4), (20, UP[1]), (30, UP[2]))
zone("self6.test", (10, net.NEAR6))
zone("lo.test", (10, "127.0.0.1"))


@row("RFC 8461 8.4 hosts that are this machine")
def selves(new):
    c = new("self.test", "self6.test", "lo.test")
    c.serve("self.test mx", "self6.test mx", "lo.test mx")
    eq(sorted(c.hosts("self.test")),
       ["10 h0.self.test", "20 h1.self.test!", "20 h2.self.test",
        "30 h3.self.test"])
    eq(c.hosts("self6.test"), ["10 h0.self6.test!"])
    eq(c.hosts("lo.test"), ["10 h0.lo.test!"])


zone("behind.test", (10, net.NEAR4), (20, UP[1]))


@row("RFC 5321 5.1 no host behind our own preference is probed")
def behind(new):
    c = new("behind.test")
    c.serve("behind.test mx")
    eq(c.probed(), [])


ZONE["alias.test"] = ["MX 10 h.alias.test."]
ZONE["h.alias.test"] = ["CNAME h0.order.test."]
ZONE["h0.order.test"] = [f"A {UP[2]}"]


@row("RFC 8461 4.1 an alias changes no name")
def alias(new):
    c = new("alias.test")
    c.serve("alias.test mx")
    eq(c.hosts("alias.test"), ["10 h.alias.test"])
    eq(c.addresses("alias.test"), [[UP[2]]])


zone("refuse.test", (10, CLOSED[0]), (20, UP[5]))


@row("a host that refuses is down, and the next is probed at once")
def refuse(new):
    c = new("refuse.test")
    _, took = c.serve("refuse.test mx")
    assert took < 0.6 * SLACK, took
    eq((c.marked(CLOSED[0], "down"), c.marked(CLOSED[0], "probed")),
       (True, True))
    eq((c.marked(UP[5], "down"), c.marked(UP[5], "probed")), (False, True))
    eq(c.probed(), [UP[5]])


zone("silent.test", (10, SILENT[0]))


@row("a host that says nothing is down after 3 s")
def silent(new):
    c = new("silent.test")
    _, took = c.serve("silent.test mx")
    assert 2.5 < took < 2.95 * SLACK, took
    eq(c.marked(SILENT[0], "down"), True)
    # and is not waited for again
    _, took = c.serve("silent.test mx")
    assert took < 0.5 * SLACK, took


zone("better.test", (10, SILENT[1]), (20, UP[6]), (30, UP[7]))


@row("a better host that is still pending is waited for, the worse is not")
def better(new):
    c = new("better.test")
    _, took = c.serve("better.test mx")
    assert 2.5 < took < 3.3 * SLACK, took
    eq(c.marked(SILENT[1], "down"), True)
    assert UP[6] in c.probed()


zone("worse.test", (10, UP[8]), (20, SILENT[0]))


@row("a worse host is not waited for")
def worse(new):
    c = new("worse.test")
    _, took = c.serve("worse.test mx")
    assert took < 0.6 * SLACK, took
    eq(c.marked(SILENT[0], "probed"), False)


zone("again.test", (10, UP[9]))


@row("a probe is not repeated, whoever made it, until it is old")
def again(new):
    c = new("again.test")
    for _ in range(3):
        c.serve("again.test mx")
    eq(c.probed(), [UP[9]])
    c.mark(f"~mx/{UP[9]}~probed", 3000)
    c.serve("again.test mx")
    eq(c.probed(), [UP[9]] * 2)


@row("a host that came back is no longer down")
def back(new):
    c = new("again.test")
    c.mark(f"~mx/{UP[9]}~down", 3000)
    c.mark(f"~mx/{UP[9]}~probed", 3000)
    c.serve("again.test mx")
    eq(c.marked(UP[9], "down"), False)


zone("denied.test", (10, DENIED), (20, UP[10]))


@row("mtasts cache show, for people")
def shown(new):
    c = new("refuse.test", "nowhere.test")
    c.serve("refuse.test mx", "nowhere.test mx")
    text = c.show("refuse.test")
    for want in (r"^refuse\.test: an MX set alone\n  mx set: hosts\n"
                 r"  mx asked: 2\S+Z.*\n  mx until: 2\S+Z",
                 rf"\n  host: 10 h0\.refuse\.test {CLOSED[0]} \(down\)\n"
                 rf"  host: 20 h1\.refuse\.test {UP[5]} \(answered\)\n$"):
        assert re.search(want, text), text
    assert "\n  mx set: nothing\n" in c.show("nowhere.test")
    c.serve("order.test")
    assert "mx set" not in c.show("order.test")


@row("deny_networks: never probed, and not down")
def denied(new):
    c = new("denied.test")
    c.serve("denied.test mx")
    eq((c.marked(DENIED, "probed"), c.marked(DENIED, "down")), (False, False))
    eq(c.probed(), [UP[10]])


ZONE["shared.prov.test"] = [f"A {UP[11]}"]
for _i in range(30):
    ZONE[f"p{_i}.test"] = ["MX 10 shared.prov.test."]


@row("30 domains of one provider are one probe")
def provider(new):
    names = [f"p{i}.test" for i in range(30)]
    c = new(*names)
    c.serve(*[f"{n} mx" for n in names])
    eq(c.probed(), [UP[11]])
    assert all(c.hosts(n) == ["10 shared.prov.test"] for n in names)


def connecting() -> int:
    """Connections to port 25 of this side that have no answer yet."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()
    return sum(x.split()[2].endswith(":0019") and x.split()[3] == "02"
               for x in lines[1:])


def while_silent(c: Cache, names: list[str]) -> int:
    p = c.start()
    p.ask(*[n + " mx" for n in names])
    time.sleep(1.5)
    n = connecting()
    for _ in names:
        p.answer()
    eq(p.finish(), 0)
    return n


ZONE["mute.prov.test"] = [f"A {SILENT[0]}"]
for _i in range(30):
    ZONE[f"q{_i}.test"] = ["MX 10 mute.prov.test."]
for _i in range(100):
    ZONE[f"h{_i}.prov.test"] = [f"A 198.18.66.{_i + 10}"]
    ZONE[f"s{_i}.test"] = [f"MX 10 h{_i}.prov.test."]


# Policy hosts that say nothing: of one owner, and of many on one address.
for _i in range(300):
    for _n, _a in ((f"f{_i}.flood.test", SILENT[0]), (f"own{_i}.test", SILENT[1])):
        ZONE[f"_mta-sts.{_n}"] = [dns.txt("v=STSv1; id=1;")]
        ZONE[f"mta-sts.{_n}"] = [f"A {_a}"]


def behind_flood(c: Cache, names: list[str]) -> None:
    """Who is asked for last is answered first."""
    p = c.start()
    p.ask(*names)
    time.sleep(1)  # they have all the places that they can get
    p.ask("pol.test", "nowhere.test")
    first = sorted(p.answer().domain for _ in range(2))
    p.p.kill()
    eq(first, ["nowhere.test", "pol.test"])


@row("300 stalling policy hosts of one owner hold up nobody else")
def flood_owner(new):
    behind_flood(new(), [f"f{i}.flood.test" for i in range(300)])


@row("300 stalling policy hosts on one address hold up nobody else")
def flood_address(new):
    behind_flood(new(), [f"own{i}.test" for i in range(300)])


# Nameservers that say nothing, of eight owners: as many questions as there are.
for _i in range(8):
    ZONE[f"mute{_i}.test"] = ["NS silent.badns.test."]


@row("silent nameservers of eight owners are not a silent resolver")
def flood_dns(new):
    c = new()
    p = c.start()
    p.ask(*[f"{new.args[1]}{i}.mute{k}.test"
            for k in range(8) for i in range(40)])
    end = time.monotonic() + 7
    while time.monotonic() < end:
        assert not (c.dir / "~resolver-down").exists(), end - time.monotonic()
        time.sleep(0.05)
    p.p.kill()


@row("who waits for his turn loses none of his time")
def turn(new):
    n = 120 if new.args[1] == "openssl" else 6
    out, _ = new(head="fetch_timeout = 2s\n").serve(
        *[f"f{i}.flood.test" for i in range(n)])
    eq({a.use for a in out}, {"none"})


@row("all places for workers are taken: who has none gets the next")
def places(new):
    c = new()
    lock = c.dir / "~lock"
    lock.touch()
    shutil.chown(lock, OWNER, OWNER)
    with lock.open("r+b") as f:
        fcntl.lockf(f, fcntl.LOCK_EX, 32, 3 << 61)
        p = c.start()
        p.ask("pol.test")
        time.sleep(1)
        fcntl.lockf(f, fcntl.LOCK_UN, 1, (3 << 61) + 7)
        eq(p.answer().use, "policy")
        eq(p.finish(), 0)


@row("more questions of one owner than anybody may ask: not yet, at once")
def flood_questions(new):
    p = new().start()
    p.ask(*[f"f{i % 300}.flood.test refetch" for i in range(5000)], "pol.test")
    uses = [p.answer().use for _ in range(5000 - 2048 + 1)]
    p.p.kill()
    eq({u: uses.count(u) for u in set(uses)},
       {"not-yet": 5000 - 2048, "policy": 1})


ZONE["_mta-sts.frz.test"] = [dns.txt("v=STSv1; id=1;")]
ZONE["mta-sts.frz.test"] = [f"A {FREEZES}"]


@row("a policy host that asks for a second handshake holds up nobody else")
def hello_request(new):
    c = new(head="fetch_timeout = 15s\n")
    since = LOG.stat().st_size
    p = c.start()
    p.ask("frz.test")
    net.wait_until(lambda: "HelloRequest" in LOG.read_text()[since:], 20,
                   "HelloRequest")
    began = time.monotonic()
    p.ask("pol.test")
    while p.answer().domain != "pol.test":
        pass
    took = time.monotonic() - began
    p.p.kill()
    assert took < 8, took


ZONE["_mta-sts.heavy.test"] = [dns.txt("v=STSv1; id=1;")]
ZONE["mta-sts.heavy.test"] = [f"A {HEAVY}"]


@row("a policy host that wants a second of processor time does not get it")
def heavy(new):
    if new.args[1] == "openssl":  # GnuTLS takes a short exponent: 50 ms
        a = new().serve("heavy.test")[0][0]
        assert "dh key" in a.sentence, a.sentence


@row("30 domains of one silent provider are one connection at a time, too")
def mute(new):
    names = [f"q{i}.test" for i in range(30)]
    eq(while_silent(new(*names), names), 1)


@row("100 silent hosts of one network: half of the 64 connections")
def crowd(new):
    names = [f"s{i}.test" for i in range(100)]
    eq(while_silent(new(*names), names), 32)


ZONE["evil.test"] = ["MX 5 mx.attacker.test.", "MX 10 h.evil.test."]
ZONE["mx.attacker.test"] = [f"A {UP[12]}"]
ZONE["h.evil.test"] = [f"A {UP[13]}"]


@row("RFC 8461 4.1 a host that the policy does not name is not probed")
def evil(new):
    c = new("evil.test")
    c.serve("evil.test mx")
    eq(c.hosts("evil.test"), ["5 mx.attacker.test", "10 h.evil.test"])
    eq(c.probed(), [UP[13]])


@row("no policy: no set; with mail queued under one, yes, and any host")
def relayed(new):
    c = new()
    c.serve("evil.test mx")
    eq(c.mx("evil.test") if c.hosts("evil.test") else None, None)
    c.mark(c.of("evil.test", "~relayed"), 4 * 86400)
    c.serve("evil.test mx")
    eq(c.hosts("evil.test"), ["5 mx.attacker.test", "10 h.evil.test"])
    eq(c.probed(), [UP[12]])


@row("queued too long ago: no set")
def forgotten(new):
    c = new()
    c.mark(c.of("evil.test", "~relayed"), 6 * 86400)
    c.serve("evil.test mx")
    eq(c.hosts("evil.test"), [])


POLICY = ("version: STSv1\nmode: %s\nmx: h1.pol.test\nmax_age: 86400\n")
zone("pol.test", (10, UP[14]), (20, UP[15]))
zone("tst.test", (10, UP[14]))
zone("slo.test", (10, UP[14]), (20, SILENT[0]))
for _n in ("pol", "tst", "slo"):
    ZONE[f"_mta-sts.{_n}.test"] = [dns.txt("v=STSv1; id=1;")]


@row("a fetched policy of mode enforce")
def fetched(new):
    c = new()
    a = c.serve("pol.test mx")[0][0]
    eq((a.domain, a.use, a.mode, a.field("id")),
       ("pol.test", "policy", "enforce", "1"))
    eq(c.hosts("pol.test"), ["10 h0.pol.test", "20 h1.pol.test"])
    eq(c.probed(), [UP[15]])


@row("of mode testing, with reports: the set, and nobody is probed")
def reported(new):
    spool = net.ROOT / "spool"
    spool.mkdir(mode=0o750, exist_ok=True)
    shutil.chown(spool, OWNER, OWNER)
    c = new(sections=f"[report]\ncontact = t@x.test\nspool_dir = {spool}\n")
    c.serve("tst.test mx")
    eq(c.hosts("tst.test"), ["10 h0.tst.test"])
    eq(c.probed(), [])


@row("of mode testing: no set, unless the configuration enforces it")
def testing(new):
    c = new()
    c.serve("tst.test mx")
    eq(c.hosts("tst.test"), [])
    c = new(sections='[domain "tst.test"]\nmode = enforce\n')
    c.serve("tst.test mx")
    eq(c.hosts("tst.test"), ["10 h0.tst.test"])


@row("switched off: nobody is asked")
def off(new):
    for c in (new(sections='[domain "pol.test"]\nmode = off\n'),
              new(head="enabled = no\n")):
        since = dns.mark()
        eq(c.serve("pol.test mx")[0][0].use, "none")
        eq(dns.asked(since, "_mta-sts.pol.test"), 0)
        eq(dns.asked(since, "pol.test", "MX"), 0)


@row("pinned: the policy is not asked for")
def pinned(new):
    since = dns.mark()
    new("order.test").serve("order.test mx")
    eq(dns.asked(since, "_mta-sts.order.test"), 0)


@row("SERVFAIL keeps the old set, however old")
def servfail(new):
    c = new("order.test")
    c.serve("order.test mx")
    c.grow_old("order.test", 4 * 86400)  # over by any TTL
    want = c.mx("order.test")
    bad = new("order.test", head=f"resolver = {dnsd.address('servfail')}\n",
              on=c)
    bad.serve("order.test mx")
    eq(c.mx("order.test"), want)
    eq(len(want["hosts"]), 3)
    c.serve("order.test mx")  # the DNS answers again
    assert c.mx("order.test")["asked"] > want["asked"]


ZONE["half.test"] = ["600 MX 10 mx.bogus.test.", "MX 20 h0.order.test."]


@row("one host's address question fails: what was known of it stays")
def half(new):
    c = new("half.test", head=f"resolver = {dns.AUTH}\n")
    c.serve("half.test mx")
    eq(c.addresses("half.test"), [["198.18.128.1"], [UP[2]]])
    c.grow_old("half.test", 86400)
    # This resolver validates, and mx.bogus.test does not pass.
    c = new("half.test", on=c)
    c.serve("half.test mx")
    eq(c.addresses("half.test"), [["198.18.128.1"], [UP[2]]])
    eq(span(c.mx("half.test")), 300)
    c = new("half.test")
    c.serve("half.test mx")
    eq(c.addresses("half.test"), [[], [UP[2]]])


@row("the resolver is known to be down: nobody is waited for")
def down(new):
    c = new("order.test")
    c.mark("~resolver-down", 5)
    since = dns.mark()
    c.serve("order.test mx")
    eq(dns.asked(since, "order.test", "MX"), 0)
    c.mark("~resolver-down", 50)
    c.serve("order.test mx")
    eq(len(c.hosts("order.test")), 3)


@row("SERVFAIL and nothing known: nothing is stored")
def servfail_cold(new):
    c = new("order.test", head=f"resolver = {dnsd.address('servfail')}\n")
    c.serve("order.test mx")
    eq(c.hosts("order.test"), [])


ZONE["ttl.test"] = ["7 MX 10 h.ttl.test."]
ZONE["h.ttl.test"] = [f"A {UP[0]}"]
ZONE["long.test"] = ["999999 MX 10 h.long.test."]
ZONE["h.long.test"] = [f"999999 A {UP[0]}"]


def span(s: dict) -> int:
    at = [time.mktime(time.strptime(s[k], "%Y-%m-%dT%H:%M:%SZ"))
          for k in ("asked", "until")]
    return round(at[1] - at[0])


@row("the time to live has bounds")
def ttl(new):
    c = new("ttl.test", "long.test", head=f"resolver = {dns.AUTH}\n")
    c.serve("ttl.test mx", "long.test mx")
    eq((span(c.mx("ttl.test")), span(c.mx("long.test"))), (300, 86400))


@row("a young set asks no DNS")
def young(new):
    c = new("order.test")
    c.serve("order.test mx")
    since = dns.mark()
    c.serve("order.test mx")
    eq(dns.asked(since, "order.test", "MX"), 0)


@row("300 askers of one domain are one piece of work, and all are told")
def askers(new):
    c = new()
    since, marked = https.mark(), dns.mark()
    out, _ = c.serve(*["pol.test mx"] * 200, *["pol.test"] * 100)
    eq(set(x.use for x in out), {"policy"})
    eq(len(https.requests(since, "pol.test")), 1)
    eq(dns.asked(marked, "_mta-sts.pol.test"), 1)
    eq(dns.asked(marked, "pol.test", "MX"), 1)


@row("a later wish is honoured")
def later(new):
    c = new()
    since, marked = https.mark(), dns.mark()
    out, _ = c.serve("pol.test", "pol.test refetch", "pol.test mx",
                     "pol.test refetch")
    eq(len(out), 4)
    eq(len(https.requests(since, "pol.test")), 2)
    eq(dns.asked(marked, "pol.test", "MX"), 1)
    eq(len(c.hosts("pol.test")), 2)


@row("who wants no MX set does not wait for the probe")
def impatient(new):
    c = new()
    p = c.start()
    began = time.monotonic()
    p.ask("slo.test mx", "slo.test")
    p.answer()
    first = time.monotonic() - began
    p.answer()
    second = time.monotonic() - began
    eq(p.finish(), 0)
    assert first < 1 * SLACK and second > 2.5, (first, second)


zone("pair.test", (10, UP[8]), (10, SILENT[0]))


@row("end of input: the answers, then the end, at once")
def eof(new):
    c = new()
    p = c.start()
    p.ask("pol.test mx", "nowhere.test")
    p.p.stdin.close()
    eq(sorted(p.answer().domain for _ in range(2)), ["nowhere.test", "pol.test"])
    began = time.monotonic()
    eq(p.finish(), 0)
    took = time.monotonic() - began
    p = c.start()
    time.sleep(0.3)
    began = time.monotonic()
    eq(p.finish(), 0)
    assert took < 0.3 * SLACK and time.monotonic() - began < 0.3 * SLACK, took
    # A probe that nobody waits for is under way.
    p = new("pair.test").start()
    p.ask("pair.test mx")
    p.p.stdin.close()
    p.answer()
    began = time.monotonic()
    eq(p.finish(), 0)
    assert time.monotonic() - began < 0.3 * SLACK


@row("nobody reads: what was asked is done, then the end")
def deaf(new):
    c = new("order.test")
    p = c.start()
    p.p.stdout.readline()
    p.p.stdout.close()
    p.ask("order.test mx", "pol.test")
    eq(p.finish(), 0)
    eq(len(c.hosts("order.test")), 3)


@row("refresh: nothing is said, all is done, then the end")
def refresh(new):
    c = new("order.test")
    p = c.start("--brief")
    p.ask("pol.test", "pol.test mx", "order.test mx", word="refresh")
    eq(p.finish(), 0)
    eq(p.answer(), None)
    eq((len(c.hosts("order.test")), len(c.hosts("pol.test"))), (3, 2))


@row("a brief worker ends when it has nothing to do")
def brief(new):
    p = new().start("--brief")
    p.ask("pol.test")
    eq(p.answer().use, "policy")
    eq(p.answer(), None)
    eq(p.finish(), 0)


def session(host: str, addr: str) -> bytes:
    """A failed one, so that the host is asked for its certificate."""
    return "\t".join(["session 2", str(int(time.time())), "pol.test", "sts",
                      "enforce", "1", "validation-failure", "", host, "",
                      addr, "", ""]).encode() + b"\n"


@row("MX hosts of one owner that say nothing leave others their certificates")
def flood_certificates(new):
    spool = net.ROOT / f"spool-{new.args[1]}"
    spool.mkdir(mode=0o750)
    shutil.chown(spool, OWNER, OWNER)
    p = new(sections=f"[report]\ncontact = t@x.test\nspool_dir = {spool}\n"
            ).start()
    for i in range(20):
        p.send(session(f"h{i}.flood.test", f"198.18.66.{i + 1}"))
    p.send(session("h0.pol.test", UP[14]))
    net.wait_until(lambda: any("h0.pol.test" in f.read_text("ascii")
                               for f in spool.glob("????-??-??")), 15, "a session")
    p.p.kill()


@row("one that hears of sessions alone does not use up its time")
def cpu(new):
    p = new().start()
    p.p.stdout.readline()

    def limit(*args):
        return subprocess.run(
            ["prlimit", "-p", str(p.p.pid), *args], user=OWNER, group=OWNER,
            extra_groups=[], text=True, capture_output=True, check=True).stdout
    limit("--cpu=99999:")
    p.send(b"session x\n")
    net.wait_until(lambda: " 99999 " not in limit("--cpu"), 20,
                   "another limit")
    eq(p.finish(), 0)


@row("another version, or nonsense: a line says so, and the worker ends")
def versions(new):
    for said in (b"pol.test mx\n", b"mtasts-worker2\nask pol.test\n",
                 worker.VERSION + b"ask POL.test\n",
                 worker.VERSION + b"x" * 5000):
        c = new()
        p = subprocess.Popen(
            [str(c.build / f"modules/worker/mtasts-fetch-{c.flavour}"),
             "-c", str(c.conf), "--serve"], env=ENV, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, user=OWNER, group=OWNER, extra_groups=[])
        out, _ = p.communicate(said, timeout=20)
        assert out.startswith(worker.VERSION + b"fault worker: "), out
        eq((out.count(b"\n"), p.returncode), (2, 1))


ZONE["*.w.test"] = ["MX 10 shared.prov.test."]


def rss(p: subprocess.Popen) -> int:
    text = Path(f"/proc/{p.pid}/status").read_text(encoding="ascii")
    return int(text.split("VmRSS:")[1].split()[0])


@row("20000 domains, half of them with MX sets: memory does not grow")
def memory(new):
    names = [f"d{i}.{'w' if i % 2 else 'x'}.test" for i in range(20000)]
    c = new(*names[1::2])
    p = c.start()
    at = {}
    for i, n in enumerate(names):
        if i % 500 == 0:
            p.ask(*[n + " mx" for n in names[i:i + 500]])
        eq(p.answer().use, "none")
        if i in (3999, 11999, 19999):
            at[i] = rss(p.p)
    eq(p.finish(), 0)
    print(f"# resident KB after 4000, 12000, 20000: {list(at.values())}")
    # It goes up and down by some pages, under the sanitizers for longer; what
    # leaks only goes up: 75 bytes for a domain are more than this.
    assert at[19999] - max(at[3999], at[11999]) < 600, at


@row("another resolv.conf is noticed by a kept worker")
def resolv(new):
    c = new(head="dns_timeout = 2s\n")
    p = c.start()

    def ask(wish):
        p.ask(wish)
        return p.answer().use
    net.set_resolver(dnsd.address("servfail"))
    try:
        eq(ask("pol.test fresh"), "remote")
        time.sleep(2.1)
    finally:
        net.set_resolver(net.RESOLVER)
    eq(ask("pol.test fresh"), "policy")
    eq(p.finish(), 0)


@row("resolv.conf replaced by another: a kept worker ends, for a new one")
def resolv_replaced(new):
    """The rule of its sandbox was about the file that is gone."""
    p = new().start()
    p.ask("pol.test fresh")
    eq(p.answer().use, "policy")
    path = Path("/etc/resolv.conf")
    path.with_suffix(".new").write_text(path.read_text())
    path.with_suffix(".new").rename(path)
    eq(p.p.wait(30), 0)
    eq(p.answer(), None)


@row("a resolver that answers nothing is not asked for each domain")
def resolver_down(new):
    c = new(head=f"resolver = {dnsd.address('silent')}\ndns_timeout = 1s\n")
    log = dns.DIR / "dnsd.log"
    since = log.stat().st_size

    def asked(name):
        with log.open("rb") as f:
            f.seek(since)
            return f'"_mta-sts.{name}"'.encode() in f.read()
    p = c.start()

    def ask(wish):
        p.ask(wish)
        return p.answer().use
    eq([ask("pol.test"), asked("pol.test")], ["remote", True])
    eq([ask("tst.test"), asked("tst.test")], ["remote", False])
    # Who insists is not put off.
    eq([ask("slo.test fresh"), asked("slo.test")], ["remote", True])
    eq(p.finish(), 0)


# --- Running --------------------------------------------------------------------

def build_world(_: Path) -> None:
    net.build()
    ca.build()
    https.build([({}, f"{n}.test") for n in ("pol", "tst", "slo")])
    https.put("pol.test", POLICY % "enforce")
    https.put("tst.test", POLICY % "testing")
    https.put("slo.test", POLICY.replace(".pol.", ".slo.") % "enforce")
    for n in ("pol", "tst", "slo"):
        ZONE[f"mta-sts.{n}.test"] = ["A " + https.address({})]
    dns.set_records(ZONE, reload=False)
    dns.build()
    dns.set_records({})
    net.far_daemon(net.python(Path(__file__), "--listen", str(LOG), *UP, UP6,
                              DENIED), net.ROOT / "listen.err")
    stem = ca.DIR / ca.cert(["mta-sts.frz.test"])
    net.far_daemon(net.python(Path(__file__), "--freeze", str(LOG), FREEZES,
                              str(stem)), net.ROOT / "freeze.err")
    group = net.ROOT / "group.pem"
    group.write_text(dh_group(10000))
    heavy_stem = net.ROOT / "heavy"
    net.sh("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
           "/CN=x", "-addext", "subjectAltName=DNS:mta-sts.heavy.test",
           "-addext", "basicConstraints=CA:FALSE", "-CA",
           str(ca.DIR / "ca.pem"),
           "-CAkey", str(ca.DIR / "ca.key"), "-keyout", f"{heavy_stem}.key",
           "-out", f"{heavy_stem}.pem")
    net.far_daemon(["openssl", "s_server", "-tls1_2", "-WWW", "-accept",
                    f"{HEAVY}:443", "-cert", f"{heavy_stem}.pem", "-key",
                    f"{heavy_stem}.key", "-cipher", "DHE", "-dhparam",
                    str(group)], net.ROOT / "heavy.log")
    net.wait_until(lambda: "ACCEPT" in (net.ROOT / "heavy.log").read_text(), 20,
                   "openssl s_server")
    net.wait_until(lambda: LOG.exists() and LOG.stat().st_size > 0, 10,
                   "listeners")


def all_rows(path: Path) -> list[rows.Row]:
    return [(f"{flavour}: {name}", partial(fn, partial(Cache, path, flavour)))
            for name, fn in ROWS for flavour in ("openssl", "gnutls")]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--listen"]:
        listen(sys.argv[2], sys.argv[3:])
        sys.exit(0)
    if sys.argv[1:2] == ["--freeze"]:
        freeze(*sys.argv[2:])
    sys.exit(rows.main(__doc__, __file__, build_world, all_rows))
