# SPDX-License-Identifier: ISC
"""table-mtasts, asked as smtpd asks it: against an echo, against a peer."""
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import tools
from table import Row

ROUNDS, TRIPS = tools.few(7, 1), tools.few(20000, 200)
PEER_TRIPS = tools.few(3000, 100)
FEW, MANY = tools.few(100, 10), tools.few(100000, 200)
TABLE = tools.BUILD / "modules/opensmtpd/table-mtasts"


def measure() -> list[Row]:
    top = Path(tempfile.mkdtemp(prefix="mtasts-bench.", dir="/var/tmp"))
    try:
        top.chmod(0o755)
        return _rows(_run(top))
    finally:
        shutil.rmtree(top)


def _fill(top: Path, n: int) -> None:
    cache = tools.own(top / f"cache{n}")
    for i in range(0, n, 2000):
        tools.seed(cache, "ready" if n == FEW else "policy",
                   *[f"d{j}.test" for j in range(i, min(i + 2000, n))],
                   body=tools.policy("test"))
    (top / f"conf{n}").write_text(f"cache_dir = {cache}\n")


def _table(n: int, *argv: str) -> tuple[float, int]:
    """Microseconds of a trip, KB of memory."""
    us, found, kb = tools.call(str(tools.BIN / "roundtrip"), str(TRIPS),
                               str(n), *argv, **tools.owner()).split()
    if argv[0] != "echo" and int(found) != TRIPS:
        raise tools.BenchError(f"the table knew {found} of {TRIPS}")
    return float(us), int(kb)


def _peer(path: Path) -> float:
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(path))
        start = time.monotonic()
        for i in range(PEER_TRIPS):
            ask = f"postfix d{i * 7919 % FEW}.test"
            s.sendall(f"{len(ask)}:{ask},".encode())
            if b"OK secure" not in s.recv(4096):
                raise tools.BenchError("the peer knows no policy")
        return (time.monotonic() - start) / PEER_TRIPS * 1e6


def _run(top: Path) -> dict[str, list[float]]:
    for n in FEW, MANY:
        _fill(top, n)
    sock = tools.own(top / "peer") / "socket"
    peer = subprocess.Popen(
        ["/usr/bin/python3", "-B", str(tools.HERE / "smtpd_peer.py"),
         str(sock), str(FEW)], env={"PATH": os.environ["PATH"]},
        **tools.owner())
    out: dict[str, list[float]] = {k: [] for k in
                                   ("echo", "few", "wait", "many", "peer",
                                    "kb")}
    try:
        for _ in range(100):
            if sock.exists():
                break
            time.sleep(0.1)
        for _ in range(ROUNDS):
            out["echo"].append(_table(FEW, "echo")[0])
            us, kb = _table(FEW, str(TABLE), str(top / f"conf{FEW}"))
            out["few"].append(us)
            out["kb"].append(kb / 1000)
            out["wait"].append(
                _table(FEW, str(TABLE), str(top / f"conf{FEW}"), "wait")[0])
            out["many"].append(
                _table(MANY, str(TABLE), str(top / f"conf{MANY}"))[0])
            out["peer"].append(_peer(sock))
    finally:
        peer.kill()
        peer.wait()
    return out


def _rows(t: dict[str, list[float]]) -> list[Row]:
    rows = [Row("table", "table round trip", "us", t["few"], "echo",
                t["echo"]),
            Row("table", "table round trip", "us", t["few"],
                "postfix-mta-sts-resolver", t["peer"]),
            Row("table", "mtasts-wait, round trip", "us", t["wait"],
                "the table of policies", t["few"]),
            Row("table", f"table, {MANY} domains", "us", t["many"],
                f"{FEW} domains", t["few"]),
            Row("table", "table, memory", "MB", t["kb"])]
    rows[0].judge("<= 1.5 x", rows[0].ratio <= 1.5)
    rows[1].judge("<= 1/4 x", rows[1].ratio <= 0.25)
    rows[2].judge("<= 1.75 x", rows[2].ratio <= 1.75)
    rows[3].judge("<= 1.5 x", rows[3].ratio <= 1.5)
    rows[4].judge("<= 3 MB", rows[4].median <= 3)
    return rows
