# SPDX-License-Identifier: ISC
"""Verdicts on a run, by what the receiving SMTP servers have noted."""
import re
from collections import Counter
from dataclasses import dataclass, field

import smtp
from breakage import Fault
from domains import Domain
from hosts import Log

REMOTE = "could not ask for a policy, dns_failure = proceed"
NO_FETCH = "TXT record, but no policy to be had"
# Said by OpenSMTPD's filter of mail that was accepted as without a policy.
PAST = ("its cache entry is gone", "its policy was not known in time",
        "the reason is no longer known")


@dataclass
class Run:
    """What was done and what was seen."""
    domains: dict[str, Domain]
    defer: bool  # dns_failure = defer
    long: bool
    sent: dict[str, str] = field(default_factory=dict)  # address: domain
    uncached: int = 0
    faults: list[Fault] = field(default_factory=list)
    killed: int = 0
    log: Log = field(default_factory=Log)
    waiting: set[str] = field(default_factory=set)
    sessions: list[dict] = field(default_factory=list)


class Judge:
    """Reads the servers' records once; each verdict returns what is wrong."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.taken: dict[str, list[dict]] = {}  # address: its sessions
        self.strange: list[str] = []
        for s in run.sessions:
            for rcpt in s.get("taken", []):
                m = re.search(r"<([^>]+)>", rcpt)
                name = m[1].lower() if m else rcpt
                self.taken.setdefault(name, []).append(s)
                if name not in run.sent:
                    self.strange.append(f"{name} at {s['host']}")
        # Keys of the log, with the domain, of mail that a server has seen.
        self.went = {(k, run.sent[a]) for a in self.taken if a in run.sent
                     for k in run.log.keys.get(a, ())}
        # What went without policy to domains that may have one.
        self.clear = [(a, s) for a, ss in self.taken.items() for s in ss
                      if a in run.sent and self._unprotected(a, s)]

    def _domain(self, address: str) -> Domain:
        return self.run.domains[self.run.sent[address]]

    def _unprotected(self, address: str, s: dict) -> bool:
        d = self._domain(address)
        return d.record and not (d.permits(s["host"]) and s.get("tls"))

    def _line(self, address: str) -> str | None:
        """What the log says of a delivery without policy."""
        log = self.run.log
        for key in log.keys.get(address, ()):
            texts = log.lines.get((key, self.run.sent[address]))
            if texts:
                return " / ".join(texts)
        return None

    def _excused(self, address: str) -> str:
        """Why mail of an enforce domain may have gone unprotected, or ""."""
        text = self._line(address) or ""
        steady = self._domain(address).steady
        if REMOTE in text and not self.run.defer:
            return "remote"
        if NO_FETCH in text and not steady:
            return "no policy to be had"
        # Then it was one of these when the mail was accepted.
        if any(p in text for p in PAST):
            if address in self.run.log.in_vain and not self.run.defer:
                return "remote, known no more"
            if not steady:
                return "no policy to be had, known no more"
        return ""

    def unprotected(self) -> list[str]:
        """Enforce domains: RFC 8461 3.3 and the settings, nothing else."""
        return [f"{a} at {s['host']}"
                f" ({s.get('tls') or 'clear'}): {self._line(a) or 'no line'}"
                for a, s in self.clear
                if self._domain(a).enforce and not self._excused(a)]

    def by_class(self) -> str:
        n = Counter(self._excused(a) or "NOT EXCUSED" for a, _ in self.clear
                    if self._domain(a).enforce)
        m = Counter(self._domain(a).kind for a, _ in self.clear)
        steady = sum(self._domain(a).enforce and self._domain(a).steady
                     for a, _ in self.clear)
        return (f"enforce {dict(n)}, {steady} of them of domains whose policy "
                f"host never fails; by kind {dict(m)}")

    def lines(self) -> list[str]:
        """Each delivery without policy has its line, and each line its delivery."""
        log = self.run.log
        out = [f"{a} at {s['host']}: no line" for a, s in self.clear
               if self._line(a) is None]
        clear = {(k, self.run.sent[a]) for a, _ in self.clear
                 for k in log.keys.get(a, ())}
        for at, texts in log.lines.items():
            n = len(log.mails.get(at, texts))
            if at not in self.went and at not in log.put_off:
                out.append(f"{at}: a line, and no delivery: {texts}")
            # Of a domain without policy one may be missing: nobody could know.
            # And mail may have come to the right host by chance.
            elif len(texts) > n or (at in clear and len(texts) < n):
                out.append(f"{at}: {len(texts)} lines for {n} messages: {texts}")
        return out

    def agreement(self) -> str:
        lines = set(self.run.log.lines)
        return (f"{len(self.clear)} deliveries without policy to domains with "
                f"a record; {len(lines)} lines, by message or session and "
                f"domain: {len(lines & self.went)} of mail that arrived, "
                f"{len(lines - self.went)} of attempts that were put off")

    def lost(self) -> list[str]:
        out = []
        for a, name in self.run.sent.items():
            if a in self.taken:
                continue
            d = self.run.domains[name]
            forbidden = d.kind in ("bare", "fake") or \
                (d.kind == "lame" and self.run.defer)
            if a not in self.run.waiting:
                out.append(f"{a}: nowhere")
            elif not forbidden:
                out.append(f"{a}: still in the queue")
        return out + self.run.log.bounced

    def twice(self) -> list[str]:
        """SMTP allows it where the client has not seen the answer."""
        out = [f"{a} at {[s['host'] for s in ss]}" for a, ss in
               self.taken.items() if len(ss) > 1 and
               all(s.get("end") in ("quit", "client closed")
                   for s in ss[:-1])]
        return out + [f"never sent: {x}" for x in self.strange]

    def crashes(self) -> list[str]:
        log = self.run.log
        more = [] if log.killed <= self.run.killed else [
            f"{log.killed} workers ended without an answer, "
            f"{self.run.killed} were killed"]
        return log.trouble + more

    def happened(self) -> list[str]:
        least = 30 if self.run.long else 1
        out = [f"{f.name}: {f.times} times" for f in self.run.faults
               if f.times < least]
        if self.run.uncached < 0.3 * len(self.run.sent):
            out.append(f"only {self.run.uncached} of {len(self.run.sent)} "
                       "deliveries were uncached")
        return out


def sessions(since: int) -> list[dict]:
    return smtp.sessions(since)
