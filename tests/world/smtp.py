# SPDX-License-Identifier: ISC
"""The MX hosts of the world: what each does, and what each has received."""
import json
import socket
import threading
from dataclasses import dataclass, field

import ca
import net

DIR = net.ROOT / "smtp"
RULES, LOG = DIR / "rules.json", DIR / "log"
_lock = threading.Lock()
_hosts: dict[str, "Host"] = {}
_by_addr: dict[str, str] = {}

# What a word of the scenario file means; the rest of the entry can add to it.
# cert: (names or None for the host's own, kind)
BEHAVIOURS: dict[str, dict] = {
    "good": {},
    "no-starttls": {"starttls": "no"},
    "no-ehlo": {"ehlo": "502 5.5.1 no such command", "starttls": "no"},
    "454": {"starttls": "454"},
    "554": {"starttls": "554"},
    "garbage": {"starttls": "garbage"},
    "drop": {"starttls": "drop"},
    "tls-required": {"starttls": "required"},
    "tls1.0": {"tls": "1.0"},
    "tls1.1": {"tls": "1.1"},
    "tls1.2": {"tls": "1.2"},
    "wrong-name": {"names": ["elsewhere.test"]},
    "self-signed": {"kind": "self-signed"},
    "other-ca": {"kind": "other-ca"},
    "expired": {"kind": "expired"},
    "no-san": {"kind": "no-san"},
    "client-only": {"kind": "client-only"},
    "wildcard": {"names": ["*.{parent}"]},
    "partial-wildcard": {"names": ["m*.{parent}"]},
    "grand-wildcard": {"names": ["*.{grandparent}"]},
    "ip-san": {"names": ["IP:{addr}"]},
    # dNSName "<name>\0.evil.test", and one in UTF-8 instead of A-labels
    "nul-san": {"der": "{name}\0.evil.test"},
    "u-label-san": {"der": "m\u00fcller.{parent}"},
    "busy": {"greet": "421 4.3.2 later"},
    "refuses": {"rcpt": "550 5.1.1 no such user"},
    "later": {"rcpt": "451 4.3.0 try later"},
}


@dataclass
class Host:
    name: str
    v4: str
    v6: str
    rule: dict = field(default_factory=dict)


def build() -> None:
    DIR.mkdir()
    _store()
    net.far_daemon(net.python(net.HERE / "smtpd.py", str(ca.DIR), str(RULES),
                              str(LOG)), DIR / "err")
    net.wait_until(_answers, 10, "SMTP servers")


def _answers() -> bool:
    try:
        with socket.create_connection(("198.18.128.1", 25), 1) as s:
            return s.recv(3) == b"220"
    except OSError:
        return False


def host(name: str, does: str = "good", **more) -> Host:
    """Make the host called name behave so; known hosts keep their address."""
    name = name.lower().rstrip(".")
    with _lock:
        h = _hosts.get(name)
        if h is None:
            n = len(_hosts) + 2
            h = Host(name, f"198.18.{128 + n // 250}.{n % 250 + 1}",
                     f"2001:db8:25::{n:x}")
            _hosts[name] = h
            _by_addr[h.v4] = _by_addr[h.v6] = name
    at = more.pop("at", None)
    if at:
        h.v4 = at
        _by_addr[at] = name
    h.rule = _rule(h, {**BEHAVIOURS[does], **more}) | {"does": does}
    with _lock:
        _store()
    return h


def _rule(h: Host, b: dict) -> dict:
    parent = h.name.partition(".")[2]
    words = {"name": h.name, "parent": parent, "addr": h.v4,
             "grandparent": parent.partition(".")[2]}
    names = [n.format(**words) for n in b.get("names", [h.name])]
    if "der" in b:
        names = ["DER:" + _san_der(b["der"].format(**words).encode()).hex()]
    rule = {k: v for k, v in b.items() if k not in ("names", "kind", "der")}
    rule["cert"] = ca.cert(names, b.get("kind", "good"))
    return rule


def _san_der(name: bytes) -> bytes:
    """GeneralNames with one dNSName of any bytes."""
    inner = b"\x82" + bytes([len(name)]) + name
    return b"\x30" + bytes([len(inner)]) + inner


def _store() -> None:
    rules = {a: h.rule for h in _hosts.values() for a in (h.v4, h.v6)}
    tmp = RULES.with_suffix(".new")
    tmp.write_text(json.dumps(rules))
    tmp.rename(RULES)


def rule(addr: str) -> dict:
    """What the host at an address was last told to do."""
    name = _by_addr.get(addr)
    return _hosts[name].rule if name else {}


def mark() -> int:
    return LOG.stat().st_size if LOG.exists() else 0


def opened(since: int) -> int:
    """How many connections there were since the mark, ended or not."""
    with LOG.open("rb") as f:
        f.seek(since)
        return sum(b'"open"' in x for x in f)


def sessions(since: int) -> list[dict]:
    """All connections since the mark, each with the "host" it reached.

    Waits until those that are open have come to their end.
    """
    found: list[dict] = []

    def complete() -> bool:
        nonlocal found
        with LOG.open("rb") as f:
            f.seek(since)
            lines = [json.loads(x) for x in f.read().splitlines()]
        found = [x for x in lines if "close" in x]
        closed = {x["close"] for x in found}
        return all(x["open"] in closed for x in lines if "open" in x)

    if LOG.exists():
        net.wait_until(complete, 35, "end of the SMTP sessions")
    for s in found:
        s["host"] = _by_addr.get(s["at"], s["at"])
    return found
