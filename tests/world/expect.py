# SPDX-License-Identifier: ISC
"""What a scenario can expect: one function per word.

Each gets the place of the scenario, the step, what was seen of it here and
where the records of the servers ended before it; and raises Wrong.
"""
import json
import re
import time
from dataclasses import dataclass

import dns
import https
import mta
import net
import recorded
import scenario
import smtp


WORKERS = ("mtasts-fetch-openssl", "mtasts-fetch-gnutls")


class Wrong(Exception):
    """An expectation was not met."""


@dataclass
class Marks:
    """Where the records of the servers end before a step."""
    dns: int
    https: list[int]
    smtp: int
    reports: int

    @classmethod
    def now(cls) -> "Marks":
        time.sleep(0.02)  # a server writes its log when it has answered
        return cls(dns.mark(), https.mark(), smtp.mark(),
                   len(recorded.lines()))


def judge(p, step: dict, seen, marks: Marks) -> None:
    """Raise Wrong unless everything in step came true."""
    for word in step:  # in the order of the step
        if word not in scenario.EXPECTATIONS or word in SESSION or word == "recorded":
            continue
        globals()[f"expect_{word}"](p, step, seen, marks)
    if SESSION & set(step):
        expect_sessions(p, step, seen, marks)


def judge_reports(p, step: dict, marks: Marks) -> None:
    """Without being asked to: what is recorded is what the MX hosts saw."""
    if not p.through_mta:
        return
    if "recorded" in step and mta.server.NAME == "exim":
        # a worker writes when it has answered
        net.wait_until(lambda: not net.running(*WORKERS), 30, "worker's end")
    wrong = recorded.wait(smtp.sessions(marks.smtp), marks.reports) \
        if p.records and "unseen" not in step else ""
    lines = recorded.lines()[marks.reports:]
    if lines:
        p.note("\n".join("recorded: " + str(r)
                         for r in lines))
    if wrong:
        raise Wrong(wrong)
    if "recorded" in step and not mta.server.light:
        wanted = {d: sorted(x) for d, x in step["recorded"].items()}
        try:  # what a worker writes may come late
            net.wait_until(lambda: _recorded(marks) == wanted, 8, "")
        except net.WorldError:
            pass
        want("recorded", wanted, _recorded(marks))


def _recorded(marks: Marks) -> dict[str, list[str]]:
    got: dict[str, list[str]] = {}
    for r in recorded.lines()[marks.reports:]:
        got.setdefault(r["domain"], []).append(_kind(r["result"]))
    return {d: sorted(x) for d, x in got.items()}


def _kind(result: str) -> str:
    """Exim's certificates are judged when the report is made."""
    return "certificate" if result.startswith("certificate") else result


SESSION = {"at", "untouched", "tls", "sni", "touched", "header"}


def want(what: str, wanted, got) -> None:
    if wanted != got:
        raise Wrong(f"{what}: wanted {wanted!r}, got {got!r}")


def domain_of(p, step: dict) -> str:
    if "of" in step:
        return step["of"]
    q = step.get("query") or step.get("race")
    if isinstance(q, list):
        q = q[0]
    return q if q in p.domains else p.scenario.domain


def expect_state(p, step, seen, marks) -> None:
    wanted = step["state"]
    got = seen.sent.states
    if isinstance(wanted, dict):
        for r, w in wanted.items():
            want(f"state of {r}", w, got.get(r, "unknown"))
        return
    for r in seen.sent.rcpts if "send" in step else got:
        want(f"state of {r}", wanted, got.get(r.lower(), "unknown"))
    if not got:
        raise Wrong("no recipient at all")


def expect_said(p, step, seen, marks) -> None:
    """smtpd's log; the one of Exim is "log"."""
    if mta.server.NAME == "exim":
        return
    if seen.sent and not re.search(step["said"], seen.sent.log):
        raise Wrong(f"smtpd's log: no match for {step['said']!r}")


def expect_not_said(p, step, seen, marks) -> None:
    if mta.server.NAME != "exim" and \
            re.search(step["not_said"], seen.sent.log):
        raise Wrong(f"smtpd's log: a match for {step['not_said']!r}")


def expect_log(p, step, seen, marks) -> None:
    if mta.server.NAME != "exim":
        return
    if not re.search(step["log"], seen.sent.log):
        raise Wrong(f"log: no match for {step['log']!r}")


def expect_no_log(p, step, seen, marks) -> None:
    if mta.server.NAME == "exim" and \
            re.search(step["no_log"], seen.sent.log):
        raise Wrong(f"log: a match for {step['no_log']!r}")


def expect_out(p, step, seen, marks) -> None:
    if not re.search(step["out"], seen.out):
        raise Wrong(f"output: no match for {step['out']!r}")


def expect_no_out(p, step, seen, marks) -> None:
    if re.search(step["no_out"], seen.out):
        raise Wrong(f"output: a match for {step['no_out']!r}")


def expect_panic(p, step, seen, marks) -> None:
    """Did Exim write to its panic log?"""
    text = mta.server.panics()
    if not re.search(step["panic"], text):
        raise Wrong(f"panic log: no match for {step['panic']!r}: {text!r}")


def expect_spool(p, step, seen, marks) -> None:
    want("messages left in the queue", step["spool"], len(mta.server.queue()))


def expect_gets(p, step, seen, marks) -> None:
    d = domain_of(p, step)
    try:
        net.wait_until(lambda: len(https.requests(marks.https, d))
                       >= step["gets"], 0.5, "")
    except net.WorldError:
        pass
    want("GETs", step["gets"], len(https.requests(marks.https, d)))


def expect_gets_max(p, step, seen, marks) -> None:
    n = len(https.requests(marks.https, domain_of(p, step)))
    if n > step["gets_max"]:
        raise Wrong(f"GETs: {n}, more than {step['gets_max']}")


def expect_requests(p, step, seen, marks) -> None:
    """GETs per domain, for other domains than the one that is asked."""
    for name, wanted in step["requests"].items():
        want(f"GETs at mta-sts.{name}", wanted,
             len(https.requests(marks.https, name)))


def expect_request(p, step, seen, marks) -> None:
    """Fields of the last request, as regular expressions."""
    all_requests = https.requests(marks.https, domain_of(p, step))
    if not all_requests:
        raise Wrong("no request")
    for name, wanted in step["request"].items():
        got = str(all_requests[-1].get(name))
        if not re.fullmatch(wanted, got):
            raise Wrong(f"request: {name} is {got!r}")


def _txts(p, step, marks) -> int:
    return dns.asked(marks.dns, "_mta-sts." + domain_of(p, step))


def expect_txts(p, step, seen, marks) -> None:
    want("TXT queries", step["txts"], _txts(p, step, marks))


def expect_txts_max(p, step, seen, marks) -> None:
    n = _txts(p, step, marks)
    if n > step["txts_max"]:
        raise Wrong(f"TXT queries: {n}, more than {step['txts_max']}")


def expect_asked(p, step, seen, marks) -> None:
    """Is "NAME TYPE" asked of the resolver (true) or not (false)?"""
    for key, wanted in step["asked"].items():
        name, rtype = key.split()
        want(f"asked for {key}", wanted,
             dns.asked(marks.dns, name, rtype) > 0)


def _each(step, seen, key, value) -> None:
    if not seen.answers:
        raise Wrong("no answer")
    for a in seen.answers:
        want(f"{key} of {a.get('domain')}", value, a.get(key))


def expect_verdict(p, step, seen, marks) -> None:
    _each(step, seen, "verdict", step["verdict"])


def expect_mode(p, step, seen, marks) -> None:
    _each(step, seen, "mode", step["mode"])


def expect_id(p, step, seen, marks) -> None:
    _each(step, seen, "id", step["id"])


def expect_source(p, step, seen, marks) -> None:
    _each(step, seen, "source", step["source"])


def expect_mx(p, step, seen, marks) -> None:
    _each(step, seen, "mx", step["mx"])


def expect_why(p, step, seen, marks) -> None:
    for a in seen.answers:
        if not re.search(step["why"], a.get("why", "")):
            raise Wrong(f"why: {a.get('why')!r} has no {step['why']!r}")


def expect_exit(p, step, seen, marks) -> None:
    want("exit status", step["exit"], seen.exit)


def expect_under(p, step, seen, marks) -> None:
    if seen.seconds > step["under"]:
        raise Wrong(f"took {seen.seconds:.1f} s, wanted {step['under']} s")


def expect_sessions(p, step, seen, marks) -> None:
    """By what the MX hosts of the world have noted themselves."""
    sessions = smtp.sessions(marks.smtp)
    p.note("\n".join(json.dumps(s) for s in sessions))
    took = [s for s in sessions if s["data"]]
    if "at" in step:
        at = step["at"]
        want("delivered at", sorted([at] if isinstance(at, str) else at),
             sorted(s["host"] for s in took for _ in range(s["data"])))
    for h in step.get("untouched", []):
        if any(s["host"] == h for s in sessions):
            raise Wrong(f"{h} was contacted")
    for h in step.get("touched", []):
        if not any(s["host"] == h for s in sessions):
            raise Wrong(f"{h} was never contacted")
    if "header" in step:
        want("X- header", [step["header"]], [s.get("x") for s in took])
    if "tls" in step:
        want("TLS", [step["tls"]] * len(took),
             [s.get("tls") or "none" for s in took])
    if "sni" in step and mta.server.SNI:
        want("SNI", {step["sni"]}, {s.get("sni") for s in took})
