# SPDX-License-Identifier: ISC
"""1000 TLS reports that are due, some of them to where nobody answers.

Half of the black holes swallow packets, half take connections and say nothing.
Of the others half go by mail, to a sendmail that does nothing, and half by
HTTPS to one nginx.
"""
import json
import random
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import subprocess

import tools
from table import Row

import ca
import dns
import net

REPORTS = tools.few(1000, 30)
HOLES = tools.few((0, 30, 300), (0, 2, 6))
ROUNDS = tools.few(3, 1)
DIR = net.ROOT / "black_holes"
PROGRAM = "/usr/libexec/mtasts/mtasts-report"
TAKES, SILENT = "198.18.1.60", "198.18.1.61"

NGINX = """
pid {dir}/nginx.pid; error_log {dir}/nginx.err; user root;
worker_processes 2; events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {dir}/tmp; proxy_temp_path {dir}/tmp;
  fastcgi_temp_path {dir}/tmp; uwsgi_temp_path {dir}/tmp;
  scgi_temp_path {dir}/tmp;
  server {{
    listen {addr}:443 ssl backlog=1024;
    ssl_certificate {cert}.pem; ssl_certificate_key {cert}.key;
    location / {{ return 202; }}
  }}
}}
"""


def domain(i: int) -> str:
    return f"report{i}.test"


def prepare() -> None:
    DIR.mkdir()
    (DIR / "tmp").mkdir()
    cert = ca.cert([domain(i) for i in range(REPORTS)])
    conf = DIR / "nginx.conf"
    conf.write_text(NGINX.format(dir=DIR, addr=TAKES, cert=ca.DIR / cert))
    net.far_daemon(["nginx", "-g", "daemon off;", "-e",
                    str(DIR / "nginx.err"), "-c", str(conf)],
                   DIR / "nginx.out")
    net.far_daemon(net.python(Path(dns.__file__).with_name("hook.py"),
                              str(DIR), SILENT, "silent"), DIR / "silent.err")
    net.wait_until(lambda: (DIR / "ready").exists()
                   and (DIR / "nginx.pid").exists(), 10, "servers")


def publish(holes: int) -> None:
    records = {}
    for i in range(REPORTS):
        d = domain(i)
        rua, addr = f"https://{d}/", TAKES
        if i < holes:
            addr = SILENT if i % 2 else f"{net.HOLE4[:-4]}{i // 2 + 1}"
        elif i % 2:
            rua = f"mailto:tls@{d}"
        records[f"_smtp._tls.{d}"] = [dns.txt(f"v=TLSRPTv1; rua={rua}")]
        records[d] = [f"A {addr}"]
    dns.set_records(records)


def spool() -> Path:
    """Yesterday's sessions, one of each domain."""
    path = tools.own(DIR / f"spool-{time.monotonic_ns()}")
    day = datetime.now(timezone.utc) - timedelta(days=1)
    at = int(day.replace(hour=12).timestamp())
    lines = ["\t".join(["2", str(at), domain(i), "sts", "enforce", "1", "ok",
                        "198.18.0.2", f"mx.{domain(i)}", "", "", "", ""])
             for i in range(REPORTS)]
    random.shuffle(lines)
    tools.call("sh", "-c", f"cat >{path}/{day:%Y-%m-%d}",
               stdin="".join(f"\n{x}\n" for x in lines), **tools.owner())
    return path


def run(holes: int) -> tools.Used:
    publish(holes)
    where = spool()
    conf = DIR / "mtasts.conf"
    conf.write_text(f"cache_dir = {tools.own(DIR / 'cache')}\n[report]\n"
                    f"contact = tls@sender.test\nspool_dir = {where}\n"
                    "sendmail = /bin/true\njitter = 0s\n")
    start = time.monotonic()
    p = subprocess.Popen([PROGRAM, "-c", str(conf)], **tools.owner())
    used = tools.wait(p, start, time.monotonic)
    status = json.loads(tools.call(PROGRAM, "-c", str(conf), "--status",
                                   "--json", **tools.owner()))
    if used.status != 0 or status["sent"] != REPORTS - holes or \
            status["waits"] != holes:
        raise tools.BenchError(f"{holes} black holes: {used}, {status}")
    return used


def measure() -> list[Row]:
    prepare()
    runs: dict[int, list[tools.Used]] = {h: [] for h in HOLES}
    for n in range(ROUNDS):
        for h in HOLES[n % len(HOLES):] + HOLES[:n % len(HOLES)]:
            runs[h].append(run(h))
    none, some, many = ([u.wall for u in runs[h]] for h in HOLES)
    row = Row("reports", f"{REPORTS}, of which {HOLES[2]} to black holes", "s",
              many, f"{HOLES[1]} to black holes", some)
    row.judge("<= 60 s, <= 1.3 x", row.median <= 60 and row.ratio <= 1.3)
    return [Row("reports", f"{REPORTS}, all are taken", "s", none), row,
            Row("reports", "CPU of a report, all are taken", "ms",
                [u.cpu * 1e3 / REPORTS for u in runs[0]])]
