# SPDX-License-Identifier: ISC
"""Tests that no word of the scenario file can say.

Each gets the place of its scenario and returns text for an "out".
"""
import json
import os
import subprocess
import threading
import time

import damage
import mta
import net
import smtp
import steps
from worker import Worker


def _sample_workers(stop: threading.Event, seen: set[int]) -> None:
    while not stop.wait(0.01):
        seen.update(net.running(*steps.WORKERS))


def stale_hits(p: steps.Place) -> str:
    """1000 questions, each in a process of its own; how many workers?"""
    stop, seen = threading.Event(), set()
    t = threading.Thread(target=_sample_workers, args=(stop, seen))
    t.start()
    start = time.monotonic()
    expr = mta.server.asking(p.scenario.domain)
    # exim -be as root: a fresh process that loads the module, like a delivery
    r = subprocess.run(
        [*mta.server.RUN, "xargs", "-P", "4", "-I{}", "exim4", "-be", expr],
        input="\n".join(map(str, range(1000))), text=True, check=False,
        capture_output=True)
    took = time.monotonic() - start
    stop.set()
    t.join()
    hits = r.stdout.count("sts=enforce")
    few = "few" if len(seen) <= 2 else "many"
    return (f"hits={hits} workers={few} ({len(seen)}) in {took:.1f} s\n"
            + r.stderr[-500:])


def pipe_ends(p: steps.Place) -> str:
    """How long does a pipe on Exim's output stay open?"""
    start = time.monotonic()
    r = subprocess.Popen(
        [*mta.server.RUN, "exim4", "-i", "-odf", "-f", "s@sender.test",
         f"u@{p.scenario.domain}"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out, _ = r.communicate(b"Subject: x\n\nx\n", timeout=60)
    took = time.monotonic() - start
    alive = len(net.running(*steps.WORKERS))
    verdict = "early" if took < 2.5 and alive else "late"
    return f"{verdict}: {took:.2f} s, workers running: {alive} {out!r}"


def client_ends(p: steps.Place) -> str:
    """The same for an SMTP client whose message is delivered at once."""
    start = time.monotonic()
    r = subprocess.Popen([*mta.server.RUN, "exim4", "-bs", "-odf"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT)
    lines = ["EHLO me", "MAIL FROM:<s@sender.test>",
             f"RCPT TO:<u@{p.scenario.domain}>", "DATA",
             "Subject: x\r\n\r\nx\r\n.", "QUIT"]
    out, _ = r.communicate("".join(f"{x}\r\n" for x in lines).encode(),
                           timeout=60)
    took = time.monotonic() - start
    alive = len(net.running(*steps.WORKERS))
    verdict = "early" if took < 2.5 and alive else "late"
    return f"{verdict}: {took:.2f} s, workers running: {alive} {out!r}"


def torn_writes(p: steps.Place) -> str:
    """Many writers and readers of one entry; every answer must be whole."""
    bad: list[str] = []
    for n in range(2, 7):
        steps.do_change(p, {"change": {"id": str(n)}})
        seen = steps.do_race(p, {"race": p.scenario.domain, "fresh": True,
                                 "shots": 20})
        for a in seen.answers:
            if a.get("verdict") != "policy" or \
                    not 1 <= int(a.get("id") or 0) <= n:
                bad.append(str(a))
        last = steps.do_query(p, {"query": p.scenario.domain})
        if last.answers[0].get("id") != str(n):
            bad.append(f"after all: {last.answers}")
    return "torn: " + " ".join(bad) if bad else "whole"


def outside_names(p: steps.Place) -> str:
    """Names that are paths, too long or odd; nothing may appear outside."""
    odd = ["../../../etc/passwd", "a/b.test", "..", ".", "/", "-", "-x.test",
           "a..b.test", "a" * 64 + ".test", ".".join(["a" * 60] * 5),
           "x" * 255, "x\ny.test", "x y.test", "x\x01.test", "\u202e.test",
           "*.test", "%2e%2e%2f.test", "_mta-sts.d19.test", "", "xn--.test",
           "a." * 127 + "t", "~lock.test", "d19.test~failed"]
    out = []
    for name in odd:
        seen = steps._query(p, [name], {})
        if seen.exit not in (0, 1, 2):
            out.append(f"{name[:40]!r}: exit {seen.exit}")
        if any(a.get("verdict") == "policy" for a in seen.answers):
            out.append(f"{name[:40]!r}: a policy")
    strays = [x for x in p.dir.rglob("*")
              if x.parent != p.cache and x.parent.parent != p.cache
              and x not in (p.cache, p.conf_file)]
    return f"strays={strays} wrong={out}"


def witness(p: steps.Place) -> str:
    return damage.witness_unchanged()


def cache_listing(p: steps.Place) -> str:
    """Modes and owners of everything in the cache."""
    bad = []
    for x in [p.cache, *p.cache.rglob("*")]:
        st = x.lstat()
        if st.st_uid != p.cache.stat().st_uid or \
                (not x.is_symlink() and st.st_mode & 0o027):
            bad.append(f"{x.name}: {st.st_mode:o} uid {st.st_uid}")
    return f"bad={bad}"


def unprivileged(p: steps.Place) -> str:
    """What any local user can make the module do."""
    ask = mta.server.asking(p.scenario.domain)
    out = []
    for argv in (["-be", ask], ["-bt", f"u@{p.scenario.domain}"]):
        r = subprocess.run(
            [*mta.server.RUN, "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
             "exim4", *argv], text=True, check=False, cwd="/",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
        out.append(f"{argv[0]} [{r.returncode}] {r.stdout.strip()}")
    return "\n".join(out)


def worker_uid(p: steps.Place) -> str:
    """Which user does the worker run as, and what has it open?"""
    argv = [*mta.server.RUN, "exim4", "-bt", f"u@{p.scenario.domain}"]
    r = subprocess.Popen(argv, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    uids: set[int] = set()
    env = ""
    end = time.monotonic() + 5
    while time.monotonic() < end and r.poll() is None:
        for pid in net.running(*steps.WORKERS):
            try:
                uids.add(os.stat(f"/proc/{pid}").st_uid)
                with open(f"/proc/{pid}/environ", encoding="latin-1") as f:
                    env = env or f.read()
            except OSError:
                continue
        time.sleep(0.005)
    r.wait()
    passwd = (mta.server.TOP / "etc/passwd").read_text().splitlines()
    names = sorted(x.split(":")[0] for x in passwd
                   if int(x.split(":")[2]) in uids)
    leaked = "MTASTS_SECRET" in env
    return f"users={names} leaked={leaked}"


def entries(p: steps.Place) -> str:
    """The domains that have an entry in the cache."""
    return " ".join(sorted(x.name for x in damage.entries(p.cache)
                           if "~" not in x.name))


def serve(p: steps.Place) -> str:
    """A worker that is kept: domains in, an answer for each."""
    d = p.scenario.domain
    owner = p.cache.stat()
    w = Worker(f"/usr/libexec/mtasts/mtasts-fetch-{p.flavour}", "-c",
               str(p.conf_file), "--serve", user=owner.st_uid,
               group=owner.st_gid, extra_groups=[])
    w.ask(d, f"none.{d}", f"xn--bcher-kva.{d}", f"{d} fresh", d)
    said = [w.answer() for _ in range(5)]
    return "\n".join(sorted(f"{a.domain} {a.use} {a.mode} {a.field('id')}"
                            for a in said)) + f"\nstatus {w.finish()}\n"


def few_files(p: steps.Place) -> str:
    """What query says where the worker may have so many descriptors."""
    said = []
    for name in p.scenario.domains:
        if name == p.scenario.domain:
            continue
        n = name.split(".")[0]
        d = p.dir / n
        d.mkdir()
        for w in steps.WORKERS:
            (d / w).write_text(f"#!/bin/sh\nulimit -n {n[1:]}\n"
                               f"exec {steps.CONF['worker_dir']}/{w} \"$@\"\n")
            (d / w).chmod(0o755)
        conf = d / "mtasts.conf"
        conf.write_text(p.conf_file.read_text().replace(
            steps.CONF["worker_dir"], str(d)))
        r = subprocess.run(
            [*steps.command(p)[:-1], str(conf), "query", "--json", name],
            text=True, check=False, capture_output=True, timeout=90)
        verdict = json.loads(r.stdout).get("verdict", "waits") if r.stdout else \
            "waits"
        if verdict == "none":
            return f"{n}: {r.stdout}"
        said.append(f"{n} {verdict}")
    return said[-1]


def two_attempts(p: steps.Place) -> str:
    """What is left in the queue behind them, and what came without TLS."""
    mark = smtp.mark()
    for _ in range(2):
        mta.server.runq(mta.server.NAME != "exim")
    try:
        net.wait_until(lambda: not mta.server.queue(), 20, "")
    except net.WorldError:
        pass
    got = [(r.strip("<>").partition("@")[2], s) for s in smtp.sessions(mark)
           if s["data"] for r in s["rcpt"]]
    own = f".{p.scenario.domain}"
    clear = sorted(d.removesuffix(own) for d, s in got if s["clear"])
    return (f"left={len(mta.server.queue())} twice={len(got) - len(dict(got))} "
            f"tls={' '.join(sorted(d.removesuffix(own) for d, s in got if not s['clear']))} "
            f"clear={' '.join(clear)}")


def refused(_p: steps.Place) -> str:
    """What Exim says of MTASTS_REPORT, by the shipped files."""
    text = mta.server.LIVE.read_text()
    mta.server.LIVE.write_text(mta.server.REPORT + text)
    out = mta.server.route("", "-bV")
    mta.server.LIVE.write_text(text)
    return out


def no_file(_p: steps.Place) -> str:
    """Has any address been taken for a command?"""
    return "there" if (mta.server.TOP / "tmp/x40").exists() else "none"


PROGRAMS = {f.__name__.replace("_", "-"): f for f in (
    entries, two_attempts, stale_hits, pipe_ends, client_ends, torn_writes, outside_names,
    serve, witness, cache_listing, worker_uid, unprivileged, no_file, refused, few_files)}
