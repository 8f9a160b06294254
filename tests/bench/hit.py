# SPDX-License-Identifier: ISC
"""A hit: exim.so in a fresh process, against an empty module and a read."""
import pwd
import shutil
import tempfile
from pathlib import Path

import tools
from table import Row, differences

ROUNDS = tools.few(500, 3)
SECTIONS = 1000
DOMAIN, NONE = "example.com", "none.example.com"


def measure() -> list[Row]:
    top = Path(tempfile.mkdtemp(prefix="mtasts-bench.", dir="/var/tmp"))
    try:
        top.chmod(0o755)
        return _rows(_run(top))
    finally:
        shutil.rmtree(top)


def _run(top: Path) -> dict[str, list[float]]:
    cache = tools.own(top / "cache")
    tools.seed(cache, "policy", DOMAIN, body=tools.policy(DOMAIN))
    tools.seed(cache, "none", NONE)
    tools.seed(cache, "policy", *[f"d{i}.test" for i in range(1000)],
               body=tools.policy("d.test"))
    plain, many = top / "plain.conf", top / "many.conf"
    plain.write_text(f"cache_dir = {cache}\n")
    many.write_text(plain.read_text() + "".join(
        f'[domain "d{i:04}.example.net"]\nmode = testing\n'
        for i in range(SECTIONS)))
    # Readable for a user who may not enter the folder of the sources.
    for f in ("hit", "nothing.so"):
        shutil.copy(tools.BIN / f, top)
    shutil.copy(tools.BUILD / "modules/exim/exim.so", top)
    uid = pwd.getpwnam(tools.USER).pw_uid
    entry = next(cache.glob(f"*/{DOMAIN}"))
    hit = f"{top}/hit policy {top}/exim.so"
    lines = [
        f"policy {uid} {hit} {plain} {DOMAIN}",
        f"floor {uid} {top}/hit floor {top}/nothing.so {entry}",
        f"none {uid} {hit} {plain} {NONE}",
        f"sections {uid} {hit} {many} {DOMAIN}",
        f"root - {hit} {plain} {DOMAIN}",
        f"root-floor - {top}/hit floor {top}/nothing.so {entry}",
    ]
    out = tools.call(f"{top}/hit", "rounds", str(ROUNDS),
                     stdin="\n".join(lines) + "\n")
    return _read(out)


def _read(out: str) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {}
    name = ""
    for line in out.splitlines():
        word = line.split()
        if word[0] == "second":
            times.setdefault(name + "-second", []).append(int(word[1]) / 1e3)
            continue
        name = word[0]
        wanted = "sts=none" if name == "none" else "sts=enforce"
        if len(word) > 2 and (word[2] != "0" or word[3] != wanted):
            raise tools.BenchError(f"not a hit: {line}")
        times.setdefault(name, []).append(int(word[1]) / 1e3)
    return times


def _rows(t: dict[str, list[float]]) -> list[Row]:
    def row(what: str, key: str, floor: str = "floor") -> Row:
        return Row("hit", what, "us", t[key],
                   "empty .so + read" if floor else "",
                   t[floor] if floor else [])

    first = row("fresh process, policy, as the owner", "policy")
    first.judge("<= 1.5 x", first.ratio <= 1.5)
    extra = Row("hit", f"{SECTIONS} domain sections, extra", "us",
                differences(t["sections"], t["policy"]))
    extra.judge("<= 400 us", extra.median <= 400)
    return [first, row("fresh process, no policy", "none"),
            row("fresh process, policy, as root", "root", "root-floor"),
            row("second call in the process", "policy-second", ""),
            row("second call, as root", "root-second", ""),
            row("second call, no policy", "none-second", ""), extra]
