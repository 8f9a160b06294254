# SPDX-License-Identifier: ISC
"""A report from the session to the mailbox, through the real Exim.

What the mail server of the report's reader has received is judged by
rfc8460.py and, for its signature, by dkimpy with the key in the DNS.
"""
import re
import subprocess
from datetime import datetime, timedelta, timezone

import dkim
import dns
import mta
import net
import recorded
import rfc8460
import scenario
import smtp
import steps


def yesterday() -> None:
    """What was recorded until now was so a day ago."""
    now = datetime.now(timezone.utc)
    name = (now - timedelta(days=1)).strftime("%Y-%m-%d")
    for day in sorted(recorded.path().glob("????-??-??")):
        if day.name != name:
            for beside in recorded.path().glob(f"{day.name}~*"):
                then = beside.name.replace(day.name, name)
                if not (recorded.path() / then).exists():
                    beside.rename(recorded.path() / then)
            text = day.read_bytes()
            with (recorded.path() / name).open("ab") as f:
                f.write(text)
            mta.server.own(recorded.path() / name)
            day.unlink()


def key_record(name: bytes, **_) -> bytes:
    """What the resolver of the world says of a DKIM key."""
    out = subprocess.run(["kdig", "+short", f"@{net.RESOLVER}",
                          name.decode().rstrip("."), "TXT"], text=True,
                         capture_output=True, check=False).stdout
    return "".join(re.findall(r'"([^"]*)"', out)).replace(
        "\\;", ";").encode()


def signed(raw: bytes) -> list[str]:
    """RFC 8460 3, 5.3: by the submitter, over the two fields."""
    d = dkim.DKIM(raw)
    if not d.verify(dnsfunc=key_record):
        return ["3: the signature does not verify"]
    tags = dkim.parse_tag_value(
        re.search(rb"(?is)^DKIM-Signature:(.*?\n)(?!\s)", raw, re.M)[1])
    over = {x.strip().lower() for x in tags[b"h"].split(b":")}
    out = [f"5.3: {x!r} is not signed" for x in (
        b"from", b"subject", b"tls-report-domain", b"tls-report-submitter")
        if x not in over]
    if tags[b"d"] != b"sender.test":
        out.append(f"3: signed by {tags[b'd']!r}")
    if b"l" in tags:
        out.append("3: l= is there")
    return out


def report_mail(p: steps.Place) -> str:
    return report(p, p.scenario.domain)[0]


def report_dane(p: steps.Place) -> str:
    """The reader is told of the TLSA records that its MX host has."""
    d = p.scenario.domain
    text, body = report(p, f"mx.{d}")
    wanted = sorted(scenario._with_hosts(r).removeprefix("TLSA ").upper()
                    for r in p.domains[d]["zone"][f"_25._tcp.mx.{d}"])
    told = body["policies"][0]["policy"]["policy-string"] if body else None
    right = told and sorted(told) == wanted
    return f"{text} tlsa={'right' if right else told}"


def report_changed(p: steps.Place) -> str:
    """The policies of the sessions, though only the last is in force."""
    text, body = report(p, p.scenario.domain)
    told = sorted([x for x in q["policy"]["policy-string"] if "mx" in x]
                  for q in body["policies"]) if body else None
    return f"{text} {told}"


def report(p: steps.Place, about: str) -> tuple[str, dict]:
    """From what was recorded to what its reader has received."""
    d = p.scenario.domain
    yesterday()
    before = recorded.lines()
    mark = smtp.mark()
    dns.set_records({f"_smtp._tls.{about}": [dns.txt(
        f"v=TLSRPTv1; rua=mailto:tls@{d}")]})
    r = subprocess.run([*mta.server.RUN, steps.MTASTS, "report"], text=True, check=False,
                       capture_output=True, timeout=120)
    p.note(f"$ mtasts report [{r.returncode}] {r.stdout}{r.stderr}")
    try:
        net.wait_until(lambda: any(s.get("text")
                                   for s in smtp.sessions(mark)), 20, "report")
    except net.WorldError:
        return mta.server.log_since(0)[-3000:], {}
    got = [s for s in smtp.sessions(mark) if s.get("text")]
    p.note(got[0]["text"])
    raw = got[0]["text"].encode("latin-1")
    j = rfc8460.judge_mail(raw.replace(b"\r\n", b"\n"), f"tls@{d}")
    faults = j.faults
    if p.scenario.variant.startswith("signed"):
        faults = faults + signed(raw)
    new = len(recorded.lines()) - len(before)
    counts = [(q["policy"]["policy-type"], q["policy"]["policy-domain"],
               q["summary"]["total-successful-session-count"],
               q["summary"]["total-failure-session-count"])
              for q in j.body.get("policies", [])]
    return (f"status={r.returncode} mails={len(got)} recorded={new} "
            f"tls={got[0].get('tls')} {counts} faults={faults}"), j.body


PROGRAMS = {"report-mail": report_mail, "report-dane": report_dane,
            "report-changed": report_changed}
