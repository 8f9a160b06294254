# SPDX-License-Identifier: ISC
"""What the parts share: the programs of this folder, processes, users."""
import os
import pwd
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "world"))
# Only to see that everything works: the numbers mean nothing.
SMOKE = "MTASTS_BENCH_SMOKE" in os.environ
BUILD = REPO / (os.environ.get("MTASTS_BUILD", "build") if SMOKE else
                os.environ.get("MTASTS_BENCH_BUILD", "build-bench"))
BIN = BUILD / "bench"
USER = "Debian-exim"

FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Wshadow",
         "-Wconversion", "-Wcast-qual", f"-I{REPO}/common",
         f"-I{REPO}/common/include"]
STS = [f"{BUILD}/common/{d}/libsts_{d}.a"
       for d in ("query", "tlsrpt", "cache", "conf", "rules", "base")]
STS.append("-l:libinih.a")
PROGRAMS = {
    "hit": ["hit.c", "-ldl"],
    "nothing.so": ["nothing.c", "-shared", "-fPIC"],
    "seed": ["seed.c", *STS],
    "roundtrip": ["roundtrip.c"],
    "rules": ["rules.c", *STS],
    "spool": ["spool.c", f"{REPO}/modules/report/day_sort.c",
              f"-I{REPO}/modules/report", '-DSORT_PATH="/usr/bin/sort"', *STS],
    "get-gnutls": ["get.c", "-l:libcurl-gnutls.so.4"],
    "get-openssl": ["get.c", "-DSHARED_STORE", "-l:libcurl.so.4", "-lssl",
                    "-lcrypto"],
}


def few(full: int, smoke: int) -> int:
    """How many rounds, or whatever there are many of."""
    return smoke if SMOKE else full


class BenchError(Exception):
    """Nothing could be measured."""


def build() -> None:
    """The product as packages have it (-O2), and what measures it."""
    if not (BUILD / "build.ninja").exists():
        call("meson", "setup", str(BUILD), str(REPO), "--buildtype=debugoptimized",
             "-Dtests=false")
    call("meson", "compile", "-C", str(BUILD))
    BIN.mkdir(exist_ok=True)
    for name, args in PROGRAMS.items():
        call(os.environ.get("CC", "cc"), *FLAGS, "-o", str(BIN / name), *args,
             cwd=HERE)


def call(*argv: str, stdin: str | None = None, **kw) -> str:
    p = subprocess.run(argv, input=stdin, text=True, check=False,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)
    if p.returncode != 0:
        raise BenchError(f"{' '.join(argv)[:300]}: {p.stdout[-2000:]}"
                         f"{p.stderr[-2000:]}")
    return p.stdout


def owner() -> dict:
    """Arguments of subprocess that make a child the owner of caches."""
    pw = pwd.getpwnam(USER)
    return {"user": pw.pw_uid, "group": pw.pw_gid, "extra_groups": []}


def own(path: Path) -> Path:
    """An empty directory of the user of the MTA."""
    path.mkdir(parents=True, exist_ok=True)
    pw = pwd.getpwnam(USER)
    os.chown(path, pw.pw_uid, pw.pw_gid)
    path.chmod(0o750)
    return path


def seed(cache: Path, kind: str, *domains: str, body: str = "") -> None:
    call(str(BIN / "seed"), str(cache), kind, *domains, stdin=body, **owner())


def policy(domain: str) -> str:
    return (f"version: STSv1\nmode: enforce\nmx: mx.{domain}\n"
            "max_age: 604800\n")


@dataclass
class Used:
    """What a process and its children used."""
    wall: float
    cpu: float
    status: int


def wait(p: subprocess.Popen, start: float, now) -> Used:
    """Reap p; start and now are of the same clock."""
    _, status, ru = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    return Used(now() - start, ru.ru_utime + ru.ru_stime, p.returncode)


def status_kb(pid: int, key: str) -> int:
    """A number of /proc/PID/status, such as VmHWM."""
    text = Path(f"/proc/{pid}/status").read_text()
    for line in text.splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0
