# SPDX-License-Identifier: ISC
"""The 500 domains of the faults test, and what may become of mail to each.

Each stands directly under test., so that each has an owner of its own.  What
protects mail shows at the MX host that it arrives at: of a "good" domain the
best MX host is one that the policy does not name; "bare" and "fake" domains
have none that a policy lets pass.
"""
from dataclasses import dataclass

import dns
import https
import smtp

ENFORCE = {"good", "bare", "fake"}
# kind: how many with a steady policy host, how many with one that fails
SHARES = {
    "good": (150, 60),
    "bare": (30, 15),  # no STARTTLS
    "fake": (30, 15),  # a certificate that is worth nothing
    "testing": (40, 0),
    "none": (30, 0),
    "plain": (90, 0),  # no record
    "broken": (25, 0),  # a record, and never a policy
    "lame": (15, 0),  # SERVFAIL for the record
}
# Mail to these can stay in the queue, and is tried at each run of it.
RARE = {"bare": 0.2, "fake": 0.2, "lame": 0.25}
# Of the policy hosts of "broken".
BROKEN = [{"status": 404}, {"type": "text/html"}, {"cert": "wrong-name"},
          "refused"]
FAKE = ["wrong-name", "self-signed", "other-ca", "expired"]
GROUP = 20  # domains of one certificate of a policy host


@dataclass(frozen=True)
class Domain:
    name: str
    kind: str
    steady: bool  # its policy host never fails
    mx: tuple[str, ...]  # "PREFERENCE HOST"
    https: object

    @property
    def enforce(self) -> bool:
        return self.kind in ENFORCE

    @property
    def record(self) -> bool:
        """Is a line due when mail goes without a policy?"""
        return self.enforce or self.kind in ("broken", "lame")

    def permits(self, host: str) -> bool:
        return self.kind == "good" and host.startswith("good")

    @property
    def weight(self) -> float:
        return RARE.get(self.kind, 1.0)


def make(scale: float = 1.0) -> dict[str, Domain]:
    """All of them; a scale below 1 makes fewer of each kind."""
    out = []
    steady = 0
    for kind, numbers in SHARES.items():
        for is_steady, n in zip((True, False), numbers):
            for i in range(max(1, round(n * scale)) if n else 0):
                spec: object = {"script": "plain"}
                if kind == "broken":
                    spec = BROKEN[i % len(BROKEN)]
                elif is_steady:
                    spec = {"group": steady // GROUP}
                    steady += 1
                name = f"{kind}{'' if is_steady else 'u'}{i}.test"
                out.append(Domain(name, kind, is_steady, _mx(kind, i), spec))
    return {d.name: d for d in out}


def _mx(kind: str, i: int) -> tuple[str, ...]:
    if kind == "good":
        return (f"5 evil{i % 4}.mx.test", f"10 good{i % 8}.mx.test")
    if kind == "fake":
        return (f"10 fake{i % len(FAKE)}.mx.test",)
    if kind in ("bare", "testing"):
        return (f"10 bare{i % 4}.mx.test",)
    return (f"10 any{i % 4}.mx.test",)


def _behaviour(host: str) -> str:
    n = int(host.partition(".")[0][-1])
    if host.startswith("fake"):
        return FAKE[n]
    if host.startswith("bare") or (host.startswith("evil") and n % 2):
        return "no-starttls"
    return "good"


def uses(domains: dict[str, Domain]) -> list[tuple[dict, str]]:
    return [(d.https, d.name) for d in domains.values()
            if isinstance(d.https, dict)]


def publish(domains: dict[str, Domain]) -> None:
    """Records, policies and MX hosts."""
    zone: dict[str, list[str]] = {}
    for host in sorted({m.split()[1] for d in domains.values() for m in d.mx}):
        zone[host] = [f"A {smtp.host(host, _behaviour(host)).v4}"]
    for d in domains.values():
        zone[d.name] = [f"MX {m}." for m in d.mx]
        if d.kind == "plain":
            continue
        zone[f"_mta-sts.{d.name}"] = ["NS servfail.badns.test."] \
            if d.kind == "lame" else [dns.txt("v=STSv1; id=1;")]
        zone[f"mta-sts.{d.name}"] = ["A " + https.address(d.https)]
        mode = d.kind if d.kind in ("testing", "none") else "enforce"
        host = d.mx[-1].split()[1]
        https.put(d.name, f"version: STSv1\nmode: {mode}\nmx: {host}\n"
                  "max_age: 86400\n")
    dns.set_records(zone)
