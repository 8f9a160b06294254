# SPDX-License-Identifier: ISC
"""Sessions on their way to a report: one line, and a large day."""
import shutil
import tempfile
from pathlib import Path

import tools
from table import Row

ROUNDS = 5000
LINES, DOMAINS, MEMORY = 10_000_000, 100_000, 48  # MiB


def measure() -> list[Row]:
    top = Path(tempfile.mkdtemp(prefix="mtasts-bench.", dir="/var/tmp"))
    try:
        top.chmod(0o755)
        # Readable for a user who may not enter the folder of the sources.
        program = str(shutil.copy(tools.BIN / "spool", top))
        return [_line(top, program, "as the owner", tools.owner()),
                _line(top, program, "as root", {}), *_day(top, program)]
    finally:
        shutil.rmtree(top)


def _line(top: Path, program: str, who: str, ids: dict) -> Row:
    spool = tools.own(top / who.replace(" ", "-"))
    times: dict[str, list[float]] = {}
    out = tools.call(program, "lines", str(spool), str(ROUNDS), **ids)
    for line in out.splitlines():
        name, ns = line.split()
        times.setdefault(name, []).append(int(ns) / 1e3)
    row = Row("spool", f"one session, {who}", "us", times["line"],
              "bare open + write + close", times["floor"])
    return row.judge("<= 15 us", row.median <= 15)


def _day(top: Path, program: str) -> list[Row]:
    spool = tools.own(top / "day")
    tools.call(program, "make", str(spool), str(LINES), str(DOMAINS),
               **tools.owner())
    ms, kib, sessions, domains, passes = map(int, tools.call(
        program, "tally", str(spool), str(MEMORY), **tools.owner()).split())
    if sessions != LINES or domains != DOMAINS:
        raise tools.BenchError(f"{sessions} sessions of {domains} domains")
    time = Row("spool", "10^7 sessions of 10^5 domains", "s", [ms / 1e3],
               note=f"{passes} passes")
    memory = Row("spool", "their memory, VmHWM", "MiB", [kib / 1024])
    return [time.judge("<= 60 s", ms <= 60_000),
            memory.judge("<= 64 MiB", kib <= 64 * 1024)]
