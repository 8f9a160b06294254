# SPDX-License-Identifier: ISC
"""What was recorded for TLS reports, held against what the far side saw.

There is one line for each SMTP session in which TLS was up, or should have
been; so the MX hosts' own records say which lines there must be.
"""
import shutil
import socket
from collections import Counter
from pathlib import Path

import mta
import net
import smtp

DIR = "/var/spool/mtasts"
CONF = f"[report]\ncontact = tls@sender.test\nspool_dir = {DIR}\njitter = 0s"
SENDER = "mtasts-reports@sender.test"
FIELDS = ("version", "time", "domain", "type", "mode", "id", "result", "from",
          "mx", "helo", "to", "reason", "cert")
SMARTHOSTS = {"smart.test", "g8.test"}
REFUSED = {"no", "4", "5"}


def path() -> Path:
    return Path(f"{mta.server.TOP}/{DIR}")


def wipe() -> None:
    shutil.rmtree(path(), ignore_errors=True)
    path().mkdir(parents=True)
    mta.server.own(path())
    path().chmod(0o750)


def lines() -> list[dict]:
    """All that is in the spool, the oldest first."""
    out = []
    for day in sorted(path().glob("????-??-??")):
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
    if mta.server.NAME != "exim":
        return _judge_smtpd(sessions, recorded)
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


# --- OpenSMTPD ---------------------------------------------------------------
#
# It tells no host name and no domain of a session that failed, and the worker
# looks at certificates in sessions of its own; so each record has to be that
# of a session, and each session has to have its record, for each domain of
# its recipients.  What is not held against anything, and why:
#
#   TLS was up and no recipient came   it counts where the domain is known
#   STARTTLS was offered, not wanted   smtpd has gone for another reason
#   a session that was cut off without an answer to EHLO, or to STARTTLS where
#   nothing is verified: smtpd gives up before a recipient is named

WORKER = {"localhost", socket.gethostname().lower()}  # how it says EHLO
CAUSES = {"expired": "certificate-expired",
          "wrong-name": "certificate-host-mismatch",
          "no-san": "certificate-host-mismatch",
          "self-signed": "certificate-not-trusted",
          "other-ca": "certificate-not-trusted",
          "good": "ok", "wildcard": "ok", "tls1.2": "ok",
          "tls1.1": "validation-failure", "garbage": "validation-failure",
          "drop": "validation-failure", "client-only": "validation-failure"}
OVERLOOKED = {"no-san", "client-only"}  # by smtpd, not by the worker


def _domains(s: dict) -> set[str]:
    names = {x.rpartition("@")[2].partition(">")[0] for x in s["rcpt"]}
    return {n.lower().encode("idna").decode() for n in names
            if n and not n.startswith("[")}


def _wanted(sessions: list[dict]) -> list[tuple[dict, set[str], str, bool]]:
    """Session, domains, how it went; and whether it has to be there."""
    out = []
    failed: dict[str, dict] = {}
    for s in sorted(sessions, key=lambda s: s["t"]):
        how = smtp.rule(s["at"]).get("starttls", "yes")
        reports = any(f"<{SENDER}>" in m for m in s["mail"])
        if s.get("ehlo", "localhost") in WORKER or reports:
            continue
        names = _domains(s)
        if s.get("ehlo_tls"):
            out.append((s, names, "ok", bool(names)))
        elif s["mail"] and s["at"] in failed and not s.get("starttls"):
            # in clear, once more: the one before has found its domains
            out.append((failed.pop(s["at"]), names, "failed", True))
        elif how == "no" or s.get("starttls") and how[:1] in "45":
            out.append((s, names, "starttls-not-supported", True))
        elif s.get("starttls"):
            failed[s["at"]] = s
    return out + [(s, set(), "failed",
                   smtp.rule(s["at"]).get("starttls") != "drop")
                  for s in failed.values()]


def _goes_with(r: dict, s: dict, names: set[str], how: str) -> bool:
    """Testing judges what it delivers; a cause is found out, if at all."""
    cause = CAUSES.get(smtp.rule(s["at"]).get("does", ""), "")
    if r["to"] != s["at"] or r["from"] != s["from"] or \
            (names and r["domain"] not in names):
        return False
    if how == "ok" and (r["mode"] == "testing" or
                        smtp.rule(s["at"]).get("does") in OVERLOOKED):
        return cause in ("", r["result"]) or \
            r["reason"] == "mtasts-policy-mx-mismatch"
    if how == "failed":
        return r["result"] != "ok" and r["mode"] != "none" and \
            cause in ("", "ok", r["result"]) or \
            r["result"] == "validation-failure"
    return r["result"] == how


def _judge_smtpd(sessions: list[dict], recorded: list[dict]) -> str:
    left = [r for r in recorded if r["to"]]
    missing = []
    # those first that cannot do with any record
    for s, names, how, must in sorted(_wanted(sessions),
                                      key=lambda w: (not w[1], not w[3])):
        for name in names or {""}:
            mine = [r for r in left
                    if _goes_with(r, s, {name} - {""}, how)]
            if mine:
                left.remove(mine[0])
            elif must:
                missing.append((s["at"], name, how))
    # several domains may have waited for one that failed
    more = [r for r in left if not any(
        not names and _goes_with(r, s, set(), how)
        for s, names, how, _ in _wanted(sessions))]
    if missing or more:
        return f"sessions without a record: {missing}, records without a " \
            f"session: {more}"
    return ""


def wait(sessions: list[dict], mark: int) -> str:
    """judge(), when what is recorded late has had its time."""
    wrong = [""]

    def fine() -> bool:
        wrong[0] = judge(sessions, lines()[mark:])
        return not wrong[0]

    try:
        net.wait_until(fine, 4 if mta.server.NAME != "exim" else 0.1, "")
    except net.WorldError:
        pass
    return wrong[0]
