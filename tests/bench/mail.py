# SPDX-License-Identifier: ISC
"""Messages through the real Exim, with a warm cache.

Five configurations take turns: the shipped one, the same with reports, the
shipped one with a constant address_data, that without the event_action of the
transport, so that the module is never loaded, and the shipped one as it is for
an Exim without dlfunc, which starts mtasts(1) for each recipient.  Messages are queued
beforehand; "exim -M" delivers them and waits for all its children, so their
CPU time is its own.

What else runs on the processors changes their speed by more than what is
sought, and only neighbours in time are alike.  So rounds are short and many,
each configuration takes each place in the order equally often, and what counts
is the median of the differences within rounds, with its interval of
confidence; rounds go on until that is narrow enough to tell.
"""
import re
import shutil
import statistics
import subprocess
import time
from pathlib import Path

import tools
from table import Row, differences, interval

import dns
import exim
import recorded
import smtp

CONF = "worker_dir = /usr/libexec/mtasts\n"
MESSAGES = tools.few(4, 1)
ROUNDS = (tools.few(80, 1), tools.few(400, 4))  # at least, at most
NARROW = 60  # us on each side of the median
COUNTED = tools.few(5, 1)  # messages whose instructions are counted
DOMAIN = "warm.bench.test"


NAMES = ["shipped", "constant", "reporting", "without", "program"]


def measure() -> list[Row]:
    _prepare()
    cpu: dict[str, list[float]] = {n: [] for n in NAMES}
    wall: dict[str, list[float]] = {n: [] for n in NAMES}
    for n in range(-len(NAMES), ROUNDS[1]):  # the first ones warm up
        turn = n % len(NAMES)
        for name in NAMES[turn:] + NAMES[:turn]:
            used = _round(name)
            if n >= 0:
                cpu[name].append(used.cpu * 1e6 / MESSAGES)
                wall[name].append(used.wall * 1e3 / MESSAGES)
        if n + 1 >= ROUNDS[0] and turn == len(NAMES) - 1 and _narrow(cpu):
            break
    rows = _rows(cpu, wall)
    counts = _counts()
    _by_counts(rows[1], rows[4], counts)
    return rows + counts


def _narrow(cpu: dict[str, list[float]]) -> bool:
    lows, highs = zip(*(interval(differences(cpu[a], cpu[b])) for a, b in (
        ("reporting", "shipped"), ("shipped", "constant"))))
    return all(h - l <= 2 * NARROW for l, h in zip(lows, highs))


def _prepare() -> None:
    mx = smtp.host(f"mx.{DOMAIN}")
    dns.set_records({DOMAIN: [f"MX 10 {mx.name}."],
                     mx.name: [f"A {mx.v4}"]})
    exim.CONF.write_text(CONF)
    exim.wipe_cache()
    tools.seed(exim.CACHE, "policy", DOMAIN, body=tools.policy(DOMAIN))
    said = tools.call("exim4", "-be", "${dlfunc{/usr/lib/mtasts/exim.so}"
                      f"{{mtasts_policy}}{{{DOMAIN}}}}}").strip()
    if not said.startswith("sts=enforce"):
        raise tools.BenchError(f"the module says {said!r}")
    text = (exim.KEPT / "split.conf").read_text()
    # As exim4-daemon-light has it, with the same Exim.
    if text.count(".ifdef _HAVE_DLFUNC") != 1:
        raise tools.BenchError("no choice of dlfunc in the configuration")
    (exim.KEPT / "program.conf").write_text(
        text.replace(".ifdef _HAVE_DLFUNC", ".ifdef _HAVE_NO_DLFUNC").replace(
            exim.REPORT, ""))
    text, n = re.subn("address_data = MTASTS_ANSWER\n",
                      lambda _: f"address_data = \\N{said}\\N\n", text)
    if n == 0:
        raise tools.BenchError("no address_data in the configuration")
    (exim.KEPT / "constant.conf").write_text(text)
    long = r"(?:[^\n]*\\\n)*[^\n]*"  # a line that may go on in the next
    text, n = re.subn(r"\n *event_action = " + long, "", text)
    if n == 0 or re.search(r"\n *address_data = MTASTS", text):
        raise tools.BenchError("a dlfunc is left in the configuration")
    (exim.KEPT / "without.conf").write_text(text)


def _queue(name: str, messages: int) -> list[str]:
    """A configuration, and messages that wait to go out under it."""
    kept = name if name in ("constant", "without", "program") else "split"
    shutil.copyfile(exim.KEPT / f"{kept}.conf", exim.LIVE)
    exim.CONF.write_text(
        CONF + (recorded.CONF + "\n" if name == "reporting" else ""))
    exim.wipe()
    recorded.wipe()
    text = f"MAIL FROM:<s@sender.test>\nRCPT TO:<u@{DOMAIN}>\nDATA\n" \
        "Subject: bench\n\nhello\n.\n"
    tools.call("exim4", "-bS", "-odq", stdin=text * messages)
    return exim.queue()


def _check(name: str, messages: int) -> None:
    done = exim.MAINLOG.read_text().count("T=mtasts_smtp")
    if done != messages or exim.queue():
        raise tools.BenchError(
            f"{name}: {done} of {messages} messages went out: "
            + exim.MAINLOG.read_text()[-2000:])
    if len(recorded.lines()) != (messages if name == "reporting" else 0):
        raise tools.BenchError(f"{name}: {len(recorded.lines())} sessions")


def _round(name: str) -> tools.Used:
    idents = _queue(name, MESSAGES)
    start = time.monotonic()
    p = subprocess.Popen(["exim4", "-M", *idents],
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    used = tools.wait(p, start, time.monotonic)
    _check(name, MESSAGES)
    return used


def _counts() -> list[Row]:
    """What no other process disturbs, where valgrind can count it: the
    instructions of a delivery outside of the kernel, and its system calls."""
    if shutil.which("valgrind") is None:
        return []
    # It starts no program that changes its user; we are root as it is.
    program = Path(shutil.which("exim4")).resolve()
    mode = program.stat().st_mode
    program.chmod(0o755)
    try:
        with_, shipped = ([_counted(n) for _ in range(COUNTED)]
                          for n in ("reporting", "shipped"))
    finally:
        program.chmod(mode)
    rows = [Row("exim", f"{what} a message, with reports", unit,
                [c[i] for c in with_], "shipped", [c[i] for c in shipped])
            for i, (what, unit) in enumerate((("instructions", "k"),
                                              ("system calls", "")))]
    for r in rows:
        r.note = f"{r.median - r.peer_median:.0f} {r.unit} more"
    return rows


def _counted(name: str) -> tuple[float, float]:
    ident = _queue(name, 1)
    logs = exim.KEPT / "instructions"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir()
    logs.chmod(0o777)
    tools.call("valgrind", "--tool=callgrind", "--trace-children=yes",
               "--collect-systime=usec", "--callgrind-out-file=/dev/null",
               f"--log-file={logs}/%p", "exim4", "-M", *ident)
    _check(name, 1)
    found = re.findall(r"Collected : (\d+) (\d+)",
                       "".join(f.read_text() for f in logs.iterdir()))
    return sum(int(x) for x, _ in found) / 1e3, sum(int(y) for _, y in found)


def _by_counts(row: Row, cpu: Row, counts: list[Row]) -> None:
    """On a busy machine time tells nothing; then what was counted decides,
    with the price of an instruction as of this run and 2 us a call."""
    low, high = interval(row.measured)
    if not counts or not low <= 200 < high:
        return
    more = [c.median - c.peer_median for c in counts]
    us = more[0] * cpu.median / counts[0].peer_median + more[1] * 2
    row.ok = us <= 200
    row.note += f", which does not tell; by what was counted {us:.0f} us"


def _difference(what: str, a: list[float], b: list[float]) -> Row:
    row = Row("exim", f"extra CPU a message, {what}", "us", differences(a, b))
    low, high = interval(row.measured)
    row.note = (f"95 % confidence {low:.0f} to {high:.0f} us, "
                f"{len(row.measured)} rounds of {MESSAGES} messages")
    return row


def _judge(row: Row, most: int) -> Row:
    """Good is what is good with confidence."""
    return row.judge(f"<= {most} us", interval(row.measured)[1] <= most)


def _rows(cpu: dict[str, list[float]], wall: dict[str, list[float]]) \
        -> list[Row]:
    return [
        _judge(_difference("shipped - constant", cpu["shipped"],
                           cpu["constant"]), 400),
        _judge(_difference("with reports - shipped", cpu["reporting"],
                           cpu["shipped"]), 200),
        _difference("shipped - no module at all", cpu["shipped"],
                    cpu["without"]),
        _difference("by ${run} - no module at all", cpu["program"],
                    cpu["without"]),
        Row("exim", "CPU a message, shipped", "us", cpu["shipped"],
            "constant", cpu["constant"]),
        Row("exim", "wall a message, shipped", "ms", wall["shipped"],
            "constant", wall["constant"]),
    ]
