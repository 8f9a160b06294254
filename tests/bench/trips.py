# SPDX-License-Identifier: ISC
"""Which of our files an Exim hit and a miss go through, as callgrind sees it.

No time is measured: how many files must be read to follow one question.
"""
import re
import shutil
import subprocess
import sys
from pathlib import Path

import tools
from table import Row

import cold
import net
from worker import VERSION

DIR = net.ROOT / "trips"
SO = "/usr/lib/mtasts/exim.so"
WORKER = "/usr/libexec/mtasts/mtasts-fetch-gnutls"


def measure() -> list[Row]:
    if shutil.which("valgrind") is None:
        tools.call("apt-get", "install", "-y", "--no-install-recommends",
                   "valgrind")
    cold.prepare()
    DIR.mkdir()
    cache = tools.own(DIR / "cache")
    conf = DIR / "mtasts.conf"
    conf.write_text(f"cache_dir = {cache}\n")
    known, missed, fetched = cold.names()[:3]
    tools.seed(cache, "policy", known, body=tools.policy(known))
    hit = _files(cache, f"{net.ROOT}/bench-hit", "policy", SO, str(conf),
                 known)
    miss = _files(cache, f"{net.ROOT}/bench-hit", "policy", SO, str(conf),
                  missed)
    miss |= _files(cache, WORKER, "-c", str(conf), "--brief",
                   said=VERSION + f"ask {fetched}\n".encode())
    return [_row("a hit", hit), _row("a miss, worker included", miss)]


def _row(what: str, files: set[str]) -> Row:
    print(f"# {what}: {' '.join(sorted(files))}", file=sys.stderr)
    sources = sum(f.endswith(".c") for f in files)
    return Row("trips", f"files in {what}", "", [float(len(files))],
               note=f"{sources} of them .c")


def _files(cache: Path, *argv: str, said: bytes = b"") -> set[str]:
    """Run as the owner; the worker may write nowhere but in the cache."""
    out = cache / "~callgrind"
    p = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *argv],
        input=said, check=False, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, **tools.owner())
    if p.returncode != 0 or not out.exists():
        raise tools.BenchError(f"{argv}: {p.stdout[-2000:]}")
    found = re.findall(r"^c?f[lie]=\(\d+\) (\S+)", out.read_text(), re.M)
    out.unlink()
    return {Path(f).name for f in found
            if re.search(r"/(common|modules)/[a-z_/]+\.[ch]$", f)}
