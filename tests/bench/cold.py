# SPDX-License-Identifier: ISC
"""2000 domains that nobody has asked for yet, one knot, one nginx.

Each round gives the same domains to both workers, to postfix-mta-sts-resolver
and to a program that only does the GETs.  The CA bundle is the system's whole
one and the world's CA.
"""
import os
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import tools
from table import Row

import ca
import dns
import https
import net
from worker import Worker

DOMAINS, GROUP, ROUNDS = tools.few(2000, 60), 20, tools.few(3, 1)
CONNECTIONS, PORT = 50, 8461
DIR = net.ROOT / "cold"
CA = {"openssl": "/etc/ssl/certs",
      "gnutls": "/etc/ssl/certs/ca-certificates.crt"}
PEER = "mta-sts-daemon"  # of postfix-mta-sts-resolver
FLIGHT = {"openssl": 100, "gnutls": 8}
MEMORY = {"openssl": (16, 0.12), "gnutls": (20, 4.5)}  # MB, MB in flight

SERVER = """
  server {{
    listen {addr}:443 ssl backlog=511;
    server_name ~^mta-sts\\.(?<domain>.+)$;
    ssl_certificate {ca}/{cert}.pem;
    ssl_certificate_key {ca}/{cert}.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    default_type text/plain;
    location = /.well-known/mta-sts.txt {{ return 200 {body}; }}
  }}
"""


@dataclass
class Run:
    """What one round of one program came to."""
    wall: float = 0.0
    cpu: float = 0.0
    memory: float = 0.0  # MB
    flight: int = 0      # connections to port 443, at most


class Watch(threading.Thread):
    """Counts the connections to policy hosts while something runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.wait(0.05):
            text = Path("/proc/net/tcp").read_text()
            # Local ends, each once: the table moves while it is read.  State
            # 01 is established, 02 has sent its SYN.
            open_now = {f[1] for f in map(str.split, text.splitlines()[1:])
                        if f[2].endswith(":01BB") and f[3] in ("01", "02")}
            self.most = max(self.most, len(open_now))

    def end(self) -> int:
        self.stop.set()
        self.join()
        return self.most


def names() -> list[str]:
    return [f"d{i:04}.bench.test" for i in range(DOMAINS)]


def address(i: int) -> str:
    return f"198.18.1.{100 + i // GROUP}"


def prepare() -> None:
    if DIR.exists():
        return
    DIR.mkdir()
    groups = [names()[i:i + GROUP] for i in range(0, DOMAINS, GROUP)]
    with ThreadPoolExecutor(max_workers=2) as pool:
        certs = list(pool.map(
            lambda g: ca.cert([f"mta-sts.{d}" for d in g]), groups))
    (https.DIR / "tmp").mkdir(parents=True)
    servers = "".join(
        SERVER.format(addr=address(i * GROUP), ca=ca.DIR, cert=c,
                      body=https.BODY) for i, c in enumerate(certs))
    conf = https.DIR / "nginx.conf"
    conf.write_text(https.NGINX.format(dir=https.DIR, servers=servers))
    net.far_daemon(["nginx", "-e", str(https.DIR / "nginx.err"), "-c",
                    str(conf)], https.DIR / "nginx.out")
    net.wait_until(lambda: (https.DIR / "nginx.pid").exists(), 10, "nginx")
    records: dict[str, list[str]] = {}
    for i, d in enumerate(names()):
        records[f"_mta-sts.{d}"] = [dns.txt("v=STSv1; id=1;")]
        records[f"mta-sts.{d}"] = [f"A {address(i)}"]
    dns.set_records(records)


def measure() -> list[Row]:
    prepare()
    runs: dict[str, list[Run]] = {}
    whats = {"openssl": lambda: worker("openssl"),
             "gnutls": lambda: worker("gnutls"),
             "peer": peer, "get-gnutls": lambda: bare_get("gnutls"),
             "get-openssl": lambda: bare_get("openssl")}
    for n in range(ROUNDS):
        order = list(whats)
        for name in order[n % len(order):] + order[:n % len(order)]:
            runs.setdefault(name, []).append(whats[name]())
    return rows(runs)


# --- the programs ------------------------------------------------------------

def worker(flavour: str, more: str = "") -> Run:
    """mtasts-fetch --serve, from its start to its last answer."""
    cache = tools.own(DIR / f"cache-{time.monotonic_ns()}")
    conf = DIR / "mtasts.conf"
    conf.write_text(f"cache_dir = {cache}\n{more}")
    watch, start = Watch(), time.monotonic()
    watch.start()
    w = Worker(f"/usr/libexec/mtasts/mtasts-fetch-{flavour}", "-c", str(conf),
               "--serve", **tools.owner())
    writer = threading.Thread(target=w.ask, args=names(), daemon=True)
    writer.start()
    answers = [w.answer() for _ in range(DOMAINS)]
    wall = time.monotonic() - start
    memory = tools.status_kb(w.p.pid, "VmHWM") / 1000
    writer.join()
    w.p.stdin.close()
    used = tools.wait(w.p, start, time.monotonic)
    bad = [a for a in answers if a.use != "policy" or a.mode != "enforce"]
    if bad:
        raise tools.BenchError(f"{len(bad)} of {DOMAINS} failed: {bad[0]}")
    return Run(wall, used.cpu, memory, watch.end())


def bare_get(flavour: str) -> Run:
    """One GET after the other, without DNS, policy or cache."""
    text = "".join(f"mta-sts.{d} {address(i)}\n"
                   for i, d in enumerate(names()))
    (DIR / "list").write_text(text)
    start = time.monotonic()
    with (DIR / "list").open() as f:
        p = subprocess.Popen([f"{net.ROOT}/bench-get-{flavour}", CA[flavour]],
                             stdin=f, **tools.owner())
        used = tools.wait(p, start, time.monotonic)
    if used.status != 0:
        raise tools.BenchError("the bare GETs failed")
    return Run(used.wall, used.cpu)


def peer() -> Run:
    """postfix-mta-sts-resolver over its socketmap; its start is free."""
    conf = DIR / "peer.yml"
    conf.write_text(f"host: 127.0.0.1\nport: {PORT}\n"
                    "cache:\n  type: internal\n  options:\n"
                    "    cache_size: 10000\n"
                    "default_zone:\n  strict_testing: false\n  timeout: 15\n")
    with (DIR / "peer.log").open("ab") as log:
        p = subprocess.Popen(
            [PEER, "-c", str(conf)], stdout=log, stderr=log,
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
            **tools.owner())
    try:
        net.wait_until(_open, 20, PEER)
        began = _cpu(p.pid)
        watch, start = Watch(), time.monotonic()
        watch.start()
        todo = list(names())
        with ThreadPoolExecutor(max_workers=CONNECTIONS) as pool:
            list(pool.map(_ask, [todo[i::CONNECTIONS]
                                 for i in range(CONNECTIONS)]))
        wall = time.monotonic() - start
        return Run(wall, _cpu(p.pid) - began,
                   tools.status_kb(p.pid, "VmHWM") / 1000, watch.end())
    finally:
        p.kill()
        p.wait()


def _open() -> bool:
    try:
        socket.create_connection(("127.0.0.1", PORT), 1).close()
        return True
    except OSError:
        return False


def _cpu(pid: int) -> float:
    f = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(f[11]) + int(f[12])) / os.sysconf("SC_CLK_TCK")


def _ask(domains: list[str]) -> None:
    """One connection of Postfix: a question, its answer, the next."""
    with socket.create_connection(("127.0.0.1", PORT), 30) as s:
        s.settimeout(30)
        for d in domains:
            q = f"postfix {d}".encode()
            s.sendall(b"%d:%s," % (len(q), q))
            got = b""
            while not got.endswith(b","):
                got += (piece := s.recv(4096))
                if not piece:
                    raise tools.BenchError(f"{PEER} hung up")
            if b"OK secure" not in got:
                raise tools.BenchError(f"{PEER}: {d}: {got!r}")


# --- what came of it ---------------------------------------------------------

def rows(runs: dict[str, list[Run]]) -> list[Row]:
    def rate(name: str) -> list[float]:
        return [DOMAINS / r.wall for r in runs[name]]

    def cpu(name: str) -> list[float]:
        return [r.cpu * 1e3 / DOMAINS for r in runs[name]]

    fast = Row("cold", "openssl worker", "domains/s", rate("openssl"),
               "postfix-mta-sts-resolver", rate("peer"))
    fast.judge(">= 3 x", fast.ratio >= 3)
    lean = Row("cold", "gnutls worker, CPU a domain", "ms", cpu("gnutls"),
               "bare GET", cpu("get-gnutls"))
    lean.judge("<= 1.15 x", lean.ratio <= 1.15)
    out = [fast,
           Row("cold", "openssl worker, CPU a domain", "ms", cpu("openssl"),
               "postfix-mta-sts-resolver", cpu("peer")),
           Row("cold", "the same beside a GET alone", "ms", cpu("openssl"),
               "bare GET", cpu("get-openssl")),
           lean,
           Row("cold", "gnutls worker", "domains/s", rate("gnutls"),
               "postfix-mta-sts-resolver", rate("peer"))]
    return out + [memory(f, runs[f], "peak memory") for f in FLIGHT]


def memory(flavour: str, runs: list[Run], what: str) -> Row:
    base, each = MEMORY[flavour]
    limit = base + each * FLIGHT[flavour]
    row = Row("cold", f"{flavour} worker, {what}", "MB",
              [r.memory for r in runs])
    row.note = f"{max(r.flight for r in runs)} fetches in flight were seen"
    return row.judge(f"<= {base} MB + {each} MB x {FLIGHT[flavour]}"
                     f" = {limit:.0f} MB", row.median <= limit)
