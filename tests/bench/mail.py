# SPDX-License-Identifier: ISC
"""Messages through the real Exim, with a warm cache.

Four configurations take turns: the shipped one, the same with reports, the
shipped one with a constant address_data, and that without the event_action of
the transport, so that the module is never loaded.  Messages are queued beforehand; "exim -M" delivers
them and waits for all its children, so their CPU time is its own.  Rounds are
many and short: what else runs on the processors changes their speed by more
than what is sought, and only neighbours in time are alike.
"""
import re
import statistics
import subprocess
import time

import tools
from table import Row, differences

import dns
import exim
import recorded
import smtp

CONF = "worker_dir = /usr/libexec/mtasts\n"
ROUNDS, MESSAGES = 80, 12
DOMAIN = "warm.bench.test"


def measure() -> list[Row]:
    _prepare()
    cpu: dict[str, list[float]] = {}
    wall: dict[str, list[float]] = {}
    names = ["shipped", "constant", "reporting", "without"]
    for n in range(-1, ROUNDS):  # the first one warms up
        turn = n % len(names)
        for name in names[turn:] + names[:turn]:
            used = _round(name)
            if n >= 0:
                cpu.setdefault(name, []).append(used.cpu * 1e6 / MESSAGES)
                wall.setdefault(name, []).append(used.wall * 1e3 / MESSAGES)
    return _rows(cpu, wall)


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
    text, n = re.subn(r"address_data = \$\{dlfunc\{[^\n]*\n",
                      lambda _: f"address_data = \\N{said}\\N\n", text)
    if n == 0:
        raise tools.BenchError("no address_data in the configuration")
    (exim.KEPT / "constant.conf").write_text(text)
    long = r"(?:[^\n]*\\\n)*[^\n]*"  # a line that may go on in the next
    text, n = re.subn(r"\n *event_action = " + long, "", text)
    text = re.sub(r"\nMTASTS_RECORD = " + long, "", text)
    if n == 0 or "dlfunc" in re.sub(
            r"(?m)^\s*#.*|data = :defer:" + long, "", text):
        raise tools.BenchError("a dlfunc is left in the configuration")
    (exim.KEPT / "without.conf").write_text(text)


def _round(name: str) -> tools.Used:
    exim.use(name if name in ("constant", "without") else "split")
    exim.CONF.write_text(
        CONF + (recorded.CONF + "\n" if name == "reporting" else ""))
    exim.wipe()
    recorded.wipe(exim.USER)
    text = f"MAIL FROM:<s@sender.test>\nRCPT TO:<u@{DOMAIN}>\nDATA\n" \
        "Subject: bench\n\nhello\n.\n"
    tools.call("exim4", "-bS", "-odq", stdin=text * MESSAGES)
    idents = exim.queue()
    start = time.monotonic()
    p = subprocess.Popen(["exim4", "-M", *idents],
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    used = tools.wait(p, start, time.monotonic)
    done = exim.MAINLOG.read_text().count("T=mtasts_smtp")
    if len(idents) != MESSAGES or done < MESSAGES or exim.queue():
        raise tools.BenchError(
            f"{name}: {done} of {MESSAGES} messages went out: "
            + exim.MAINLOG.read_text()[-2000:])
    if len(recorded.lines()) != (MESSAGES if name == "reporting" else 0):
        raise tools.BenchError(f"{name}: {len(recorded.lines())} sessions")
    return used


def _rows(cpu: dict[str, list[float]], wall: dict[str, list[float]]) \
        -> list[Row]:
    extra = Row("exim", "extra CPU a message, shipped - constant", "us",
                differences(cpu["shipped"], cpu["constant"]))
    extra.judge("<= 400 us", extra.median <= 400)
    error = 1.25 * statistics.stdev(extra.measured) / ROUNDS ** 0.5
    quiet = [statistics.quantiles(cpu[n], n=10)[1] for n in
             ("shipped", "constant", "without")]
    extra.note = (f"standard error of the median {error:.0f} us; in the "
                  f"quietest fifth of rounds {quiet[0] - quiet[1]:.0f} us, "
                  f"{quiet[0] - quiet[2]:.0f} us beside no module")
    reports = Row("exim", "extra CPU a message, with reports - shipped", "us",
                  differences(cpu["reporting"], cpu["shipped"]))
    reports.judge("<= 200 us", reports.median <= 200)
    error = 1.25 * statistics.stdev(reports.measured) / ROUNDS ** 0.5
    quiet = [statistics.quantiles(cpu[n], n=10)[1] for n in
             ("reporting", "shipped")]
    reports.note = (f"standard error of the median {error:.0f} us; in the "
                    f"quietest fifth of rounds {quiet[0] - quiet[1]:.0f} us")
    return [
        extra,
        reports,
        Row("exim", "extra CPU a message, shipped - no module at all", "us",
            differences(cpu["shipped"], cpu["without"])),
        Row("exim", "CPU a message, shipped", "us", cpu["shipped"],
            "constant", cpu["constant"]),
        Row("exim", "wall a message, shipped", "ms", wall["shipped"],
            "constant", wall["constant"]),
    ]
