# SPDX-License-Identifier: ISC
"""How many recipients a second smtpd takes, with our tables and without.

The smtpd of Debian 13, the shipped configuration, a warm cache of 100 domains
without a policy, so that both tables are asked; one client, one command
outstanding.  In every other round no rule asks a table.
"""
import os
import smtplib
import time

import tools
from table import Row

import dns
import net
import opensmtpd
import smtp

ROUNDS, RCPTS = tools.few(12, 1), tools.few(3000, 50)
DOMAINS = tools.few(100, 5)
opensmtpd.VARIANTS["no-table"] = [
    (r"(?m)^match .*<mtasts(-wait)?>.*\n", "")]
NAMES = [f"d{n}.rcpt.test" for n in range(DOMAINS)]


def measure() -> list[Row]:
    _prepare()
    rates: dict[str, list[float]] = {"shipped": [], "no-table": []}
    for n in range(-1, ROUNDS):  # the first one warms up
        for name in sorted(rates, reverse=n % 2 == 0):
            rate = _round(name)
            if n >= 0:
                rates[name].append(rate)
    opensmtpd.stop()
    row = Row("smtpd", "recipients a second, both tables", "RCPT/s",
              rates["shipped"], "no table", rates["no-table"])
    row.judge(">= 0.6 x", row.ratio >= 0.6)
    return [row]


def _prepare() -> None:
    mx = smtp.host("mx.rcpt.test")
    dns.set_records({mx.name: [f"A {mx.v4}"]} |
                    {d: [f"MX 10 {mx.name}."] for d in NAMES})
    opensmtpd.wipe()
    opensmtpd.wipe_cache()
    opensmtpd.CONF.write_text("worker_dir = /usr/libexec/mtasts\n")
    tools.own(opensmtpd.CACHE)
    tools.seed(opensmtpd.CACHE, "none", *NAMES)
    for d, _, files in os.walk(opensmtpd.CACHE):
        for f in [d, *(f"{d}/{x}" for x in files)]:
            opensmtpd.own(f)


def _round(name: str) -> float:
    opensmtpd.stop()
    opensmtpd.use(name)
    with smtplib.SMTP(net.NEAR4, 25, "client.test", 60) as c:
        c.ehlo()
        c.mail("s@sender.test")
        for d in NAMES:
            _rcpt(c, f"warm@{d}")
        start = time.monotonic()
        for n in range(RCPTS):
            _rcpt(c, f"u{n}@{NAMES[n % DOMAINS]}")
        rate = RCPTS / (time.monotonic() - start)
        c.rset()
    if opensmtpd.trouble():
        raise tools.BenchError(opensmtpd.trouble())
    return rate


def _rcpt(c: smtplib.SMTP, to: str) -> None:
    code, text = c.rcpt(to)
    if code != 250:
        raise tools.BenchError(f"RCPT {to}: {code} {text!r}")
