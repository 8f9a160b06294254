# SPDX-License-Identifier: ISC
"""Programs of scenarios with OpenSMTPD, for what has no word of its own."""
import os
import random
import shutil
import smtplib
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import net
import opensmtpd
import recorded
import smtp
import steps


_door = threading.Lock()


def _connect() -> smtplib.SMTP:
    """One at a time until the banner: smtpd lets five wait to be accepted,
    and the kernel answers more with SYN cookies, whose connections hang for a
    minute where the last packet of the handshake is dropped."""
    with _door:
        return smtplib.SMTP(net.NEAR4, 25, "client.test", 60)


def _session(rcpts: list[str]) -> list[str]:
    """One message in one session; the recipients that were accepted."""
    with _connect() as c:
        c.ehlo()
        c.mail("s@sender.test")
        good = [r for r in rcpts if c.rcpt(r)[0] == 250]
        if not good:
            return []
        return good if c.data("Subject: x\r\n\r\nx\r\n")[0] == 250 else []


def _received(mark: int) -> tuple[list[str], int]:
    """Recipients of messages taken, and how many of those came in clear."""
    rcpts: list[str] = []
    clear = 0
    for s in smtp.sessions(mark):
        if s["data"]:
            rcpts += [r.strip("<>").split(">")[0] for r in s["rcpt"]]
            clear += bool(s.get("clear"))
    return rcpts, clear


class Watch(threading.Thread):
    """Which workers ran, until it is stopped."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[int] = set()
        self.over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self.over.wait(0.02):
            self.seen.update(net.running(*steps.WORKERS))

    def stop(self) -> set[int]:
        self.over.set()
        self.join()
        return self.seen


def burst(p: steps.Place) -> str:
    """20 sessions at once, 100 recipients each, all domains in each."""
    mark, watch = smtp.mark(), Watch()
    domains = list(p.domains)
    lists = [[f"u{s}-{n}@{domains[n % len(domains)]}" for n in range(100)]
             for s in range(20)]
    with ThreadPoolExecutor(20) as pool:
        accepted = [r for rs in pool.map(_session, lists) for r in rs]
    opensmtpd.drain(60)
    workers = watch.stop()
    got, clear = _received(mark)
    few = "few" if len(workers) <= 3 else "many"
    return (f"accepted={len(accepted)} delivered={len(set(got))} "
            f"clear={clear} workers={few} ({len(workers)}) "
            f"twice={len(got) - len(set(got))}")


def kill_9(p: steps.Place) -> str:
    """Load, and no worker lives long; then count what arrived."""
    seconds = float(os.environ.get("MTASTS_KILL_SECONDS", "60"))
    mark, over = smtp.mark(), threading.Event()
    accepted: list[str] = []
    refused = [0]
    kills = [0]

    def load(who: int) -> None:
        n = 0
        domains = list(p.domains)
        while not over.is_set():
            n += 1
            rcpt = f"k{who}-{n}@{random.choice(domains)}"
            try:
                accepted.extend(_session([rcpt]) or _refuse(refused))
            except (OSError, smtplib.SMTPException):
                refused[0] += 1
            time.sleep(0.05)

    def trouble() -> None:
        while not over.wait(random.uniform(0.02, 0.5)):
            for pid in net.running(*steps.WORKERS):
                subprocess.run(["kill", "-9", str(pid)], check=False,
                               stderr=subprocess.DEVNULL)
                kills[0] += 1
            if random.random() < 0.3:
                for d in opensmtpd.CACHE.glob("[0-9a-f]*"):
                    shutil.rmtree(d, ignore_errors=True)

    threads = [threading.Thread(target=load, args=(n,)) for n in range(3)]
    threads.append(threading.Thread(target=trouble))
    for t in threads:
        t.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end and not opensmtpd.trouble():
        time.sleep(0.5)
    over.set()
    for t in threads:
        t.join()
    end = time.monotonic()
    # What a killed worker had claimed is free again after a minute.
    opensmtpd.drain(400)
    end = time.monotonic() - end
    got, clear = _received(mark)
    lost = set(accepted) - set(got)
    out = (f"lost={len(lost)} clear={clear} "
           f"{opensmtpd.trouble() or 'alive'}: {len(accepted)} messages, "
           f"{refused[0]} refused, {kills[0]} workers killed, "
           f"queue empty after {end:.0f} s {sorted(lost)[:5]}")
    if lost:
        p.note(opensmtpd.log_since(max(0, opensmtpd.log_size() - 3000)))
    print(f"# kill-9 for {seconds:.0f} s: {out}")
    return out


def _refuse(refused: list[int]) -> list[str]:
    refused[0] += 1
    return []


def odd_recipients(p: steps.Place) -> str:
    """Every RCPT has to be answered, whatever the answer."""
    d = p.scenario.domain
    odd = [f"u@{x}" for x in (
        "a|b.test", "|", "||||", "[198.18.128.1]", "[IPv6:2001:db8::1]", ".",
        "..", "a..b.test", "-", "*.test", "*", "_mta-sts.x.test", "xn--.test",
        "a" * 64 + ".test", ".".join(["b" * 60] * 4), "c." * 120 + "test",
        "d" * 255, "d" * 900, "\u00fc.test", "\u202e.test", "%00.test",
        "lookup-result|1|found|smtp://x", "1.2.3.4", "test", d + ".",
        d.upper(), f"{d}@{d}", "~lock", "../../etc/passwd", "e\tf.test")]
    odd += ["", "u", "u@", "@", "@a,@b:u@" + d, '"a b"@' + d,
            "u%" + d + "@" + d, "x" * 500 + "@" + d]
    answers = 0
    for address in odd:
        with socket.create_connection((net.NEAR4, 25), 20) as s:
            f = s.makefile("rb")
            opensmtpd._reply(f)
            for line in ("EHLO x", "MAIL FROM:<s@sender.test>",
                         f"RCPT TO:<{address}>"):
                s.sendall(line.encode() + b"\r\n")
                answer = opensmtpd._reply(f)
        answers += answer[:1] in ("2", "4", "5")
        if answer[:1] not in ("2", "4", "5"):
            p.note(f"{address[:60]!r}: {answer!r}")
    return f"answered={'all' if answers == len(odd) else answers}"


def held(p: steps.Place) -> str:
    """A message to a domain whose policy host is slow, then a known one."""
    domains = list(p.domains)
    _session([f"w@{domains[1]}"])
    opensmtpd.drain(20)
    mark = smtp.mark()
    for d in domains:
        if not _session([f"u@{d}"]):
            return f"{d} is refused"
    clients = time.time()
    opensmtpd.drain(20)
    got = sorted((s["t"], s["host"]) for s in smtp.sessions(mark)
                 if s["data"])
    hosts = [h for _, h in got]
    return (f"clients={'free' if got and clients < got[-1][0] else 'held'} "
            f"quick={'first' if hosts == [f'mx.{d}' for d in domains[::-1]] else hosts}")


def flood(p: steps.Place) -> str:
    """One message to 100 stalling domains, then one to each of the others."""
    mark, d = smtp.mark(), p.scenario.domain
    many = _session([f"u@{n}.flood.{d}" for n in range(100)])
    _session([f"u@victim.{d}"])
    _session([f"u@clear.{d}"])
    by_rcpt: dict[str, dict] = {}
    end = time.monotonic() + 120
    while f"<u@victim.{d}>" not in by_rcpt and time.monotonic() < end:
        opensmtpd.drain(3)
        by_rcpt = {r: s for s in smtp.sessions(mark) if s["data"]
                   for r in s["rcpt"]}
    victim = by_rcpt.get(f"<u@victim.{d}>", {}).get("tls")
    clear = "some" if f"<u@clear.{d}>" in by_rcpt else "none"
    lost = len(many) - len([r for r in by_rcpt if ".flood." in r]) \
        - sum(".flood." in x
              for x in opensmtpd.ctl("show", "queue").splitlines())
    return f"accepted={len(many)} victim={victim} clear={clear} lost={lost}"


def floods(p: steps.Place) -> str:
    """60 messages to stalling domains of one owner, then one to another's."""
    mark, d = smtp.mark(), p.scenario.domain
    for n in range(60):
        _session([f"u@{n}.{d}"])
    _session([f"u@victim-{d}"])

    def out() -> list[str]:
        return [r for s in smtp.sessions(mark) if s["data"] for r in s["rcpt"]]
    victim = f"<u@victim-{d}>"
    net.wait_until(lambda: victim in out(), 120, victim)
    before = out().index(victim)
    return f"before={'few' if before <= 20 else before}"


def table_race(p: steps.Place) -> str:
    """Mail while the cache comes and goes, and a table is slow to notice."""
    mark, d = smtp.mark(), p.scenario.domain
    over = threading.Event()

    def trouble() -> None:
        rng = random.Random(8461)
        while not over.is_set():
            pids = net.running("table-mtasts")
            pid = str(rng.choice(pids)) if pids else ""
            if pid:
                subprocess.run(["kill", "-STOP", pid], check=False)
            for x in opensmtpd.CACHE.glob("[0-9a-f]*"):
                shutil.rmtree(x, ignore_errors=True)
            time.sleep(rng.uniform(0.01, 0.1))
            if pid:
                subprocess.run(["kill", "-CONT", pid], check=False)
            time.sleep(rng.uniform(0.05, 0.3))

    t = threading.Thread(target=trouble)
    t.start()
    sent = []
    for n in range(40):
        sent += _session([f"u{n}@{d}"])
    opensmtpd.drain(3)
    over.set()
    t.join()
    queued = opensmtpd.queue()
    got, clear = _received(mark)
    return f"clear={clear} lost={len(sent) - len(got) - len(queued)}"


def fail_at_once(p: steps.Place) -> str:
    """Several messages to each domain of one MX host.  To a host that works
    smtpd opens several sessions: so one hangs, and then those beside it fail."""
    host = f"mx.{p.scenario.domain}"
    slow = {"greets": 2, "mail": 8}
    smtp.host(host, **slow)
    opensmtpd.ctl("pause", "mta")
    for n in range(4):
        for d in p.domains:
            _session([f"v{n}@{d}"])
    mark, old = smtp.mark(), len(recorded.lines())
    opensmtpd.ctl("resume", "mta")
    net.wait_until(lambda: smtp.opened(mark) > 2, 30, "several sessions")
    smtp.host(host, "self-signed", **slow)
    failed = [s for s in smtp.sessions(mark) if s.get("starttls")
              and not s.get("ehlo_tls")]

    def domains() -> list[str]:
        return [r["domain"] for r in recorded.lines()[old:]
                if r["result"] != "ok"]

    net.wait_until(lambda: set(domains()) == set(p.domains), 20, "records")
    return (f"sessions={'several' if len(failed) > 1 else len(failed)} "
            f"failures={len(domains())} domains={len(set(domains()))}")


def stranger(p: steps.Place) -> str:
    """Mail to both domains at once, and in the end to the first alone."""
    _session([f"u@evil.{p.scenario.domain}"])  # and it is known
    opensmtpd.drain(3)
    mark, old = smtp.mark(), len(recorded.lines())
    for n in range(2):
        opensmtpd.ctl("pause", "mta")
        for d in p.domains:
            _session([f"v{n}@{d}"])
        opensmtpd.runq(force=True, timeout=10)
    for line in opensmtpd.ctl("show", "queue").splitlines():
        if "evil" in line:
            opensmtpd.ctl("remove", line.split("|")[0])
    opensmtpd.drain(30)
    out = []
    for d in p.domains:
        results = {r["result"] for r in recorded.lines()[old:]
                   if r["domain"] == d}
        at = {s["host"] for s in smtp.sessions(mark) if s["data"]
              and any(f"@{d}>" in r for r in s["rcpt"])}
        out.append(f"{' '.join(sorted(results))} -> "
                   f"{' '.join(sorted(at)) or 'nowhere'}")
    return "; ".join(out)


def again_port(p: steps.Place) -> str:
    """A local user tries the listener that smtpd delivers to itself."""
    with socket.create_connection(("127.0.0.1", 10025), 20) as s:
        f = s.makefile("rb")
        opensmtpd._reply(f)
        for line in ("EHLO x", "MAIL FROM:<s@sender.test>",
                     f"RCPT TO:<u@no.{p.scenario.domain}>"):
            s.sendall(line.encode() + b"\r\n")
            answer = opensmtpd._reply(f)
    return answer


def update_table(_p: steps.Place) -> str:
    return opensmtpd.ctl("update", "table", "mtasts")


def shipped(_p: steps.Place) -> str:
    (opensmtpd.TOP / "etc/shipped.conf").write_text(opensmtpd.text_of("raw"))
    return net.sh(*opensmtpd.RUN, "/usr/sbin/smtpd", "-n", "-f",
                  "/etc/shipped.conf", check=False)


def smtpd_log(_p: steps.Place) -> str:
    """All that smtpd has said in this scenario."""
    time.sleep(0.5)
    return opensmtpd.log_since(opensmtpd._wiped)


def probes(p: steps.Place) -> str:
    """How often the worker asked the domain's MX host, and left with QUIT."""
    seen = [x for x in smtp.sessions(0)
            if x["host"] == f"mx.{p.scenario.domain}"
            and x.get("ehlo") in recorded.WORKER]
    polite = [x for x in seen if x.get("end") == "quit"]
    return f"probes={len(seen)} quit={len(polite)}"


PROGRAMS = {f.__name__.replace("_", "-"): f for f in (
    burst, kill_9, odd_recipients, held, flood, floods, table_race, again_port,
    update_table, shipped, smtpd_log, probes, fail_at_once, stranger)}
