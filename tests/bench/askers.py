# SPDX-License-Identifier: ISC
"""50 processes ask for one cold domain, whose policy host takes its time."""
import json
import subprocess
import time
from pathlib import Path

import tools
from table import Row

import ca
import dns
import httpsd
import net

ASKERS, ROUNDS = tools.few(50, 5), tools.few(3, 1)
DIR = net.ROOT / "askers"
RULES, LOG = DIR / "rules.json", DIR / "log"
WORKERS = ("mtasts-fetch-openssl", "mtasts-fetch-gnutls")


def measure() -> list[Row]:
    prepare()
    out = []
    for flavour in ("openssl", "gnutls"):
        runs = [_run(flavour, n) for n in range(ROUNDS)]
        gets, pss, rss, workers = (list(x) for x in zip(*runs))
        row = Row("askers", f"{flavour}, GETs for {ASKERS} askers", "", gets)
        out.append(row.judge("1", max(gets) == min(gets) == 1))
        row = Row("askers", f"{flavour}, memory of all workers (PSS)", "MB",
                  pss)
        row.note = f"{max(workers)} workers were seen at once"
        out.append(row.judge("<= 150 MB", max(pss) <= 150))
        out.append(Row("askers", f"{flavour}, the same as sum of RSS", "MB",
                       rss))
    return out


def _name(flavour: str, n: int) -> str:
    return f"{flavour}{n}.late.test"


def prepare() -> None:
    DIR.mkdir()
    domains = [_name(f, n) for f in ("openssl", "gnutls")
               for n in range(ROUNDS)]
    cert = ca.cert([f"mta-sts.{d}" for d in domains])
    RULES.write_text(json.dumps(
        {f"mta-sts.{d}": {"does": "late", "body": tools.policy(d)}
         for d in domains}))
    net.far_daemon(net.python(tools.HERE / "late_httpsd.py", str(RULES),
                              str(ca.DIR / cert), str(LOG)), DIR / "err")
    net.wait_until(LOG.exists, 10, "late policy host")
    records = {}
    for d in domains:
        records[f"_mta-sts.{d}"] = [dns.txt("v=STSv1; id=1;")]
        records[f"mta-sts.{d}"] = [f"A {httpsd.ADDR[0]}"]
    dns.set_records(records)


def _run(flavour: str, n: int) -> tuple[float, float, float, float]:
    domain = _name(flavour, n)
    cache = tools.own(DIR / f"cache-{domain}")
    conf = DIR / f"{domain}.conf"
    conf.write_text(f"cache_dir = {cache}\nworker_flavour = {flavour}\n"
                    "worker_dir = /usr/libexec/mtasts\n")
    argv = [str(net.ROOT / "bench-hit"), "policy", "/usr/lib/mtasts/exim.so",
            str(conf), domain]
    askers = [subprocess.Popen(argv, text=True, stdout=subprocess.PIPE,
                               **tools.owner()) for _ in range(ASKERS)]
    pss = rss = most = 0.0
    while any(p.poll() is None for p in askers):
        p, r, m = _memory()
        pss, rss, most = max(pss, p), max(rss, r), max(most, m)
        time.sleep(0.1)
    for p in askers:
        text = p.stdout.read()
        if " 0 sts=enforce" not in text:
            raise tools.BenchError(f"{flavour}: an asker heard {text!r}")
    net.wait_until(lambda: not net.running(*WORKERS), 30, "workers' end")
    return _gets(domain), pss, rss, most


def _gets(domain: str) -> int:
    return sum(json.loads(x).get("host") == f"mta-sts.{domain}"
               for x in LOG.read_text().splitlines())


def _memory() -> tuple[float, float, int]:
    """PSS and RSS of all workers, MB, and how many they are."""
    pss = rss = 0
    pids = net.running(*WORKERS)
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        for line in text.splitlines():
            if line.startswith("Pss:"):
                pss += int(line.split()[1])
            elif line.startswith("Rss:"):
                rss += int(line.split()[1])
    return pss / 1000, rss / 1000, len(pids)
