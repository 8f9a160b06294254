#!/usr/bin/python3 -B
# SPDX-License-Identifier: ISC
"""Mail to 500 domains while things break at random: never in clear, never lost.

  run.py [OPTION...] [WORD...]     all verdicts, or those whose text has a word

Hosts are exim (of this host) and the OpenSMTPD of a Debian release; by default
exim and bookworm.  Each runs with dns_failure = defer and with the default, in
a world of its own.  Without --long it is a short form for continuous
integration.

Events come when so many recipients have been sent to, and a fault lasts until
mail has met it; the order of things depends on the seed alone, and no verdict
on the clock.  One line for each verdict, and at the end "N passed, N failed".
Status 0: all passed; 1: some failed; 2: the world could not be built.
"""
import argparse
import bisect
import os
import random
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Semaphore

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "world")]

import net

# The shipped configurations are those of the tree.
for _n, _word in enumerate(sys.argv[:-1]):
    if _word == "--tree":
        net.REPO = Path(sys.argv[_n + 1]).resolve()

import breakage
import ca
import debian
import dns
import domains
import exim
import hosts
import https
import judge
import mta
import opensmtpd
import smtp

CONF = """worker_dir = /usr/libexec/mtasts
ca_file = /etc/ssl/certs/ca-certificates.crt
fetch_timeout = {fetch}s
dns_timeout = {dns}s
{more}
"""
DNS_TIMEOUT, FETCH_TIMEOUT = 1, 10
MESSAGE_WAITS = 30  # for all its domains
LONG = 5500  # recipients, with each setting
TIMES = 48  # of each fault in the long form; some meet another of their kind
COUNT = re.compile(r"(\d+) passed, (\d+) failed")
WIPE = 800  # recipients between two losses of the cache, on average
KICK = 900  # between two forced runs of the queue


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--build", default=os.environ.get("MTASTS_BUILD", "build"))
    p.add_argument("--host", action="append",
                   choices=["exim", *debian.RELEASES])
    p.add_argument("--setting", action="append", choices=["defer", "default"],
                   help="dns_failure")
    p.add_argument("--long", action="store_true",
                   help="each fault 30 times and more, an hour or so")
    p.add_argument("--mails", type=int, help="recipients of each run")
    p.add_argument("--seed", type=int, default=8461)
    p.add_argument("--tree", metavar="DIR",
                   help="another checkout, with its build folder")
    p.add_argument("--keep", metavar="DIR", help="where logs are copied to")
    p.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    p.add_argument("words", nargs="*", metavar="WORD")
    args = p.parse_args()
    args.host = args.host or ["exim", "bookworm"]
    args.setting = args.setting or ["defer", "default"]
    return args


# --- The world ----------------------------------------------------------------

def install(build: Path) -> None:
    """All programs of a build, of whatever age."""
    for folder, pattern in (("usr/lib/mtasts", "exim/*.so"),
                            ("usr/libexec/mtasts", "worker/mtasts-fetch-*"),
                            ("usr/libexec/opensmtpd", "opensmtpd/*-mtasts"),
                            ("usr/bin", "cli/mtasts")):
        found = [p for p in (build / "modules").glob(pattern) if p.is_file()]
        if not found:
            raise net.WorldError(f"{build}: no {pattern}")
        to = mta.server.TOP / folder
        to.mkdir(parents=True, exist_ok=True)
        for p in found:
            shutil.copyfile(p, to / p.name)
            (to / p.name).chmod(0o755)
    # Where a build without --prefix looks when there is no configuration.
    local = mta.server.TOP / "usr/local/libexec"
    local.mkdir(parents=True, exist_ok=True)
    (local / "mtasts").symlink_to("../../libexec/mtasts")


def build_world(args, host: str, all_domains: dict) -> None:
    mta.server = exim if host == "exim" else opensmtpd
    if host != "exim":
        opensmtpd.choose(host)
    net.build()
    ca.build()
    dns.build()
    https.build(domains.uses(all_domains))
    smtp.build()
    domains.publish(all_domains)
    if host == "exim":
        exim.build(variants=False)
    else:
        opensmtpd.build()
    install(net.REPO / args.build)


# --- One run --------------------------------------------------------------------

class Driver:
    """Sends, and breaks things, as the seed says."""

    def __init__(self, args, host: str, all_domains: dict[str, domains.Domain],
                 defer: bool) -> None:
        self.args, self.defer = args, defer
        self.rng = random.Random(f"{args.seed} {host} {defer}")
        self.host = hosts.make(host)
        self.mails = args.mails or (LONG if args.long else self.host.SHORT)
        self.run = judge.Run(all_domains, defer, args.long)
        self.killer = breakage.Killer(random.Random(args.seed))
        self.cache = breakage.Cache(self.killer)
        self.run.faults = breakage.all_faults(
            self.cache, self.killer, DNS_TIMEOUT + 1, MESSAGE_WAITS + 2)
        self.slots = Semaphore(self.host.threads + 4)
        self.count = 0

    def conf(self) -> None:
        path: Path = mta.server.CONF
        new = path.with_suffix(".new")
        new.write_text(CONF.format(
            fetch=FETCH_TIMEOUT, dns=DNS_TIMEOUT,
            more="dns_failure = defer" if self.defer else ""))
        new.chmod(0o644)
        new.rename(path)

    def plan(self) -> list[tuple[int, str, object]]:
        """The faults, by the number of recipients after which they begin or end."""
        times = TIMES if self.args.long else 2
        faults = [f for f in self.run.faults for _ in range(times)]
        self.rng.shuffle(faults)
        gap = self.mails / (len(faults) + 1)
        events: list[tuple[int, str, object]] = []
        for n, f in enumerate(faults):
            begin = gap * (n + self.rng.uniform(0.3, 0.9))
            events.append((int(begin), "begin", f))
            events.append((int(begin + gap * self.rng.uniform(0.3, 1.1)),
                           "end", f))
        for word, every in (("wipe", WIPE), ("kick", KICK)):
            at = self.rng.uniform(0.2, 1) * min(every, self.mails / 4)
            while at < self.mails:
                events.append((int(at), word, None))
                at += self.rng.uniform(0.5, 1.5) * \
                    min(every, self.mails / 4)
        return sorted(events, key=lambda e: e[0])

    def wipe(self) -> None:
        self.cache.wipe()
        if not self.cache.read_only:
            self.host.note("cache wiped")

    def happen(self, word: str, fault) -> None:
        if word == "wipe":
            self.wipe()
        elif word == "kick":
            self.host.kick()
        elif word == "end" and fault.on:
            # Some last until whoever waits for it gives up.
            if fault.times % 4 == 0:
                time.sleep(max(0.0, fault.since + fault.bites
                               - time.monotonic()))
            self.end(fault)
            # What has waited meets the next fault.
            if self.rng.random() < self.host.KICKS:
                self.host.kick()
        elif word == "begin" and not fault.on:
            for other in self.run.faults:
                if other.on and other.what == fault.what:
                    self.end(other)
            # Some of them find nothing known; with a policy host it matters.
            if self.rng.random() < 0.3 or fault.what == "https":
                self.wipe()
            if fault.what == "dns":
                self.host.note("dns fails")
            fault.begin()

    def end(self, fault) -> None:
        fault.end()
        if fault.what == "dns":
            self.host.note("dns works")

    def recipients(self) -> list[str]:
        """Of one message; now and then two of one domain."""
        names = list(self.run.domains)
        weights = [d.weight for d in self.run.domains.values()]
        n = self.rng.choice([1] * 8 + [2, 2, 3, 3, 4, 5, 8, 25])
        chosen = self.rng.choices(names, weights, k=n)
        if any(f.on and f.what == "https" and f.mails == 0
               for f in self.run.faults):
            # So many wait in vain that the message's time is used up.
            chosen += self.rng.choices(
                [d.name for d in self.run.domains.values() if not d.steady],
                k=6)
            chosen += self.rng.choices(names, weights, k=20)
            self.rng.shuffle(chosen)
        out = []
        for name in chosen:
            self.count += 1
            out.append(f"n{self.count}@{name}")
        return out

    def send(self, rcpts: list[str]) -> None:
        try:
            was = {r: not self.cache.has(r.partition("@")[2]) for r in rcpts}
            for r in self.host.submit(rcpts):
                self.run.sent[r] = r.partition("@")[2]
                self.run.uncached += was[r]
        finally:
            self.slots.release()

    def go(self) -> judge.Run:
        self.conf()
        self.host.start()
        self.run.sessions = []
        since = smtp.mark()
        events = self.plan()
        futures = []
        with ThreadPoolExecutor(self.host.threads) as pool:
            while self.count < self.mails:
                while events and events[0][0] <= self.count:
                    at, word, fault = events.pop(0)
                    if word == "end" and fault.on and fault.mails == 0:
                        bisect.insort(events, (self.count + 1, word, fault),
                                      key=lambda e: e[0])
                    else:
                        self.happen(word, fault)
                self.slots.acquire()
                rcpts = self.recipients()
                for f in self.run.faults:
                    f.mails += f.on
                futures.append(pool.submit(self.send, rcpts))
                if self.count % 10 == 0:
                    self.cache.learn()
                self.pace()
            for f in futures:
                f.result()
            for f in self.run.faults:
                if f.on:
                    self.end(f)
        self.settle()
        self.run.killed = self.killer.killed
        self.run.log = self.host.read_log()
        self.run.sessions = smtp.sessions(since)
        return self.run

    def pace(self) -> None:
        """Faults should meet mail that is on its way."""
        end = time.monotonic() + 0.25  # it may wait for a fault to end
        while self.host.busy() and time.monotonic() < end:
            time.sleep(0.02)
        if mta.server.trouble():
            raise net.WorldError(mta.server.trouble())

    def settle(self) -> None:
        """All is well again: whatever can go goes."""
        last, turn = -1, 0
        since = time.monotonic()
        while True:
            if turn in (1, 4, 8):
                self.wipe()
            self.host.kick(wait=True)
            self.run.waiting = self.host.waiting()
            stuck = {a for a in self.run.waiting if self.run.domains[
                a.partition("@")[2]].kind not in ("bare", "fake", "lame")}
            if len(self.run.waiting) != last:
                since = time.monotonic()
            elif turn > 1 and (not stuck or time.monotonic() - since > 240):
                return  # a kept worker may be put off for a minute
            last = len(self.run.waiting)
            turn += 1


def verdicts(run: judge.Run) -> list[tuple[str, list[str]]]:
    j = judge.Judge(run)
    print(f"# {len(run.sent)} recipients accepted, {run.uncached} uncached "
          f"({100 * run.uncached // max(1, len(run.sent))} %), "
          f"{len(j.taken)} taken by servers, {len(run.waiting)} in the queue")
    print("# faults: " + ", ".join(f"{f.name} {f.times}" for f in run.faults)
          + f"; {run.killed} workers killed")
    print(f"# unprotected: {j.by_class()}")
    print(f"# {j.agreement()}")
    print(f"# faults of this host said in the log: {run.log.local}, of them "
          f"workers that ended: {run.log.killed}")
    return [("faults happened, and mail was uncached", j.happened()),
            ("no mail of an enforce domain went unprotected but as allowed",
             j.unprotected()),
            ("log lines and servers agree", j.lines()),
            ("nothing is lost", j.lost()),
            ("nothing arrived twice", j.twice()),
            ("no crash, nothing strange in the log", j.crashes())]


def keep_logs(where: Path) -> None:
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    for p in (exim.MAINLOG, exim.PANICLOG, opensmtpd.LOG, smtp.LOG):
        if p.exists():
            shutil.copyfile(p, where / f"{p.parent.name}-{p.name}")


def inside(args) -> int:
    host, setting = args.host[0], args.setting[0]
    start = time.monotonic()
    all_domains = domains.make()
    build_world(args, host, all_domains)
    run = Driver(args, host, all_domains, setting == "defer").go()
    passed = failed = 0
    for name, wrong in verdicts(run):
        if not any(w in name for w in args.words or [""]):
            continue
        failed, passed = failed + bool(wrong), passed + (not wrong)
        print(f"{'not ok' if wrong else 'ok'} - {host} {setting}: {name}")
        for line in wrong[:12]:
            print(f"    {line[:400]}")
        if len(wrong) > 12:
            print(f"    ... {len(wrong)} in all")
    print(f"# {host} {setting}: {time.monotonic() - start:.0f} s")
    if args.keep:
        keep_logs(Path(args.keep) / f"{host}-{setting}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def side_by_side(args) -> int:
    """A world for each, at the same time: most of it is waiting."""
    def one(host: str, setting: str) -> tuple[int, str]:
        argv = [sys.executable, "-B", __file__, "--host", host, "--setting",
                setting, "--build", args.build, "--seed", str(args.seed)]
        for word in ("mails", "tree", "keep"):
            if getattr(args, word):
                argv += [f"--{word}", str(getattr(args, word))]
        argv += ["--long"] if args.long else []
        p = subprocess.run(argv + args.words, text=True, check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        body, _, last = p.stdout.rstrip("\n").rpartition("\n")
        print(body if COUNT.fullmatch(last) else p.stdout, flush=True)
        return p.returncode, last

    pairs = [(h, s) for h in args.host for s in args.setting]
    with ThreadPoolExecutor(len(pairs)) as pool:
        results = list(pool.map(lambda p: one(*p), pairs))
    counts = [COUNT.fullmatch(last) for _, last in results]
    print(f"{sum(int(m[1]) for m in counts if m)} passed, "
          f"{sum(int(m[2]) if m else 1 for m in counts)} failed")
    return max(rc for rc, _ in results)


def main() -> int:
    args = arguments()
    try:
        if args.inside:
            return inside(args)
        for host in args.host:
            if host != "exim":
                debian.folder(host)  # needs the network of this host
        if len(args.host) * len(args.setting) > 1:
            return side_by_side(args)
        return net.enter([sys.executable, "-B", __file__, "--inside",
                          *sys.argv[1:]])
    except (net.WorldError, debian.DebianError) as e:
        print(f"faults: {e}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
