# SPDX-License-Identifier: ISC
"""Sessions on their way to a report: one line, and a large day."""
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import tools
from table import Row

ROUNDS = tools.few(5000, 20)
LINES, DOMAINS = tools.few(10_000_000, 10_000), tools.few(100_000, 100)


def measure() -> list[Row]:
    top = Path(tempfile.mkdtemp(prefix="mtasts-bench.", dir="/var/tmp"))
    try:
        top.chmod(0o755)
        # Readable for a user who may not enter the folder of the sources.
        program = str(shutil.copy(tools.BIN / "spool", top))
        return [_line(top, program, "as the owner", tools.owner(), 2),
                _line(top, program, "as root", {}, 3),
                *_record(top, program, "as the owner", tools.owner()),
                *_record(top, program, "as root", {}), *_day(top, program)]
    finally:
        shutil.rmtree(top)


def _times(program: str, *args: str, **ids) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {}
    for line in tools.call(program, *args, **ids).splitlines():
        name, ns = line.split()
        times.setdefault(name, []).append(int(ns) / 1e3)
    return times


def _record(top: Path, program: str, who: str, ids: dict) -> list[Row]:
    """The call of an adapter, which looks the policy up as well."""
    base = top / ("record-" + who.replace(" ", "-"))
    cache, spool = tools.own(base / "cache"), tools.own(base / "spool")
    tools.seed(cache, "policy", "example.com",
               body=tools.policy("example.com"))
    conf = base / "mtasts.conf"
    conf.write_text(f"cache_dir = {cache}\n[report]\n"
                    f"contact = tls@example.net\nspool_dir = {spool}\n")
    times = _times(program, "record", str(conf), str(ROUNDS), **ids)
    row = Row("spool", f"record a session, {who}", "us", times["line"])
    row.judge("<= 15 us", row.median <= 15)
    return [row,
            Row("spool", f"the first of a process, {who}", "us",
                times["first"])]


def _line(top: Path, program: str, who: str, ids: dict, limit: int) -> Row:
    spool = tools.own(top / who.replace(" ", "-"))
    times = _times(program, "lines", str(spool), str(ROUNDS), **ids)
    row = Row("spool", f"one session, {who}", "us", times["line"],
              "bare open + write + close", times["floor"])
    return row.judge(f"<= {limit} x", row.ratio <= limit)


def _floor(day: Path) -> tools.Used:
    """All that sort(1) itself would do about it."""
    start = time.monotonic()
    p = subprocess.Popen(
        ["/usr/bin/sort", "-S32M", "-T", str(day.parent), str(day)],
        env={"LC_ALL": "C"}, stdout=subprocess.DEVNULL, **tools.owner())
    return tools.wait(p, start, time.monotonic)


def _day(top: Path, program: str) -> list[Row]:
    spool = tools.own(top / "day")
    tools.call(program, "make", str(spool), str(LINES), str(DOMAINS),
               **tools.owner())
    floor = _floor(spool / "2026-11-24")
    ms, cpu, own, sort, sessions, domains = map(int, tools.call(
        program, "totals", str(spool), **tools.owner()).split())
    if sessions != LINES or domains != DOMAINS:
        raise tools.BenchError(f"{sessions} sessions of {domains} domains")
    name = "10^7 sessions of 10^5 domains"
    wall = Row("spool", name, "s", [ms / 1e3], "sort(1) of the same file",
               [floor.wall])
    used = Row("spool", f"{name}, CPU", "s", [cpu / 1e3],
               "sort(1) of the same file", [floor.cpu])
    memory = Row("spool", "their memory, VmHWM", "MiB", [own / 1024],
                 "of sort(1)", [sort / 1024])
    return [wall.judge("<= 60 s", ms <= 60_000), used,
            memory.judge("<= 64 MiB each", max(own, sort) <= 64 * 1024)]
