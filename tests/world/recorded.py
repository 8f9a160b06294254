# SPDX-License-Identifier: ISC
"""What Exim recorded for TLS reports, held against what the far side saw.

There is one line for each SMTP session in which TLS was up, or should have
been; so the MX hosts' own records say which lines there must be.
"""
import shutil
from collections import Counter
from pathlib import Path

import smtp

DIR = Path("/var/spool/mtasts")
CONF = f"[report]\ncontact = tls@sender.test\nspool_dir = {DIR}\njitter = 0s"
SENDER = "tls@sender.test"
FIELDS = ("version", "time", "domain", "type", "mode", "id", "result", "from",
          "mx", "helo", "to", "reason", "der")
SMARTHOSTS = {"smart.test", "g8.test"}
REFUSED = {"no", "4", "5"}


def wipe(user: str) -> None:
    shutil.rmtree(DIR, ignore_errors=True)
    DIR.mkdir(parents=True)
    shutil.chown(DIR, user, user)
    DIR.chmod(0o750)


def lines() -> list[dict]:
    """All that is in the spool, the oldest first."""
    out = []
    for day in sorted(DIR.glob("2*")):
        for line in day.read_text(encoding="ascii").splitlines():
            fields = line.split("\t")
            if len(fields) != len(FIELDS):
                raise ValueError(f"spool: {line!r}")
            out.append(dict(zip(FIELDS, fields)))
    return out


def expected(sessions: list[dict]) -> list[tuple[dict, str]]:
    """The sessions to be recorded, and how each went as its server knows."""
    out = []
    failed = set()
    report = f"<{SENDER}>"
    # One that came to nothing had the same mail as the one after it.
    reports = {s["at"] for s in sessions
               if any(report in m for m in s["mail"])}
    for s in sessions:
        rule = smtp.rule(s["at"])
        how = rule.get("starttls", "yes")
        if "ehlo" not in s or any(report in m for m in s["mail"]) or \
                (not s["mail"] and s["at"] in reports):
            continue
        if how == "no" or s.get("starttls") and how[:1] in "45":
            out.append((s, "starttls-not-supported"))
        elif not s.get("starttls"):
            # STARTTLS was offered and not wanted: in the clear, once more
            if s["at"] not in failed:
                out.append((s, "?"))
        elif s.get("ehlo_tls"):
            out.append((s, "ok"))
        else:
            failed.add(s["at"])
            spoilt = how in ("garbage", "drop") or "tls" in rule
            out.append((s, "validation-failure" if spoilt
                        else "certificate"))
    return out


def judge(sessions: list[dict], recorded: list[dict]) -> str:
    """What is wrong, or nothing."""
    wanted = Counter(s["at"] for s, _ in expected(sessions))
    got = Counter(r["to"] for r in recorded if r["to"])
    if wanted != got:
        return f"sessions by address: {dict(wanted)}, recorded: {dict(got)}"
    for s, result in expected(sessions):
        there = [r for r in recorded if r["to"] == s["at"]]
        if not any(_same(s, result, r) for r in there):
            return f"no record of {s}, {result}: {there}"
    return ""


def _same(s: dict, result: str, r: dict) -> bool:
    """Testing judges what it delivers; DANE has words of its own."""
    if r["type"] == "tlsa":
        good = (r["result"] == "ok") == (result == "ok")
        names = [r["mx"]]
    else:
        good = r["result"] == result or (r["mode"] == "testing" and
                                         result == "ok")
        names = [x.rpartition("@")[2].partition(">")[0].encode("idna")
                 .decode() for x in s["rcpt"]]
    return good and r["from"] == s["from"] and \
        (not names or r["domain"] in names or r["domain"] in SMARTHOSTS)
