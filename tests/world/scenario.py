# SPDX-License-Identifier: ISC
"""The words of scenarios.toml: what may stand there, and what is implied.

A scenario is one table; its name is the id.  A {D} in any text stands for its
own domain, by default the id in lower case under test.; {x*70} is seventy x.
"""
import copy
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import ca
import dns
import dnsd
import https
import net
import smtp

# What a domain has unless the scenario says otherwise.
DOMAIN = {
    "txt": None,         # None: one record with the id; a list: these; a word
                         # of dnsd.KINDS: asked in vain, in that way
    "id": "1",
    "policy": "enforce",  # mode, or a whole body; false: no such file
    "patterns": ["mx.{D}"],
    "max_age": 86400,
    "https": {},         # a spec for nginx, {script = ..}, or a place
    "addr": None,        # records of mta-sts.D instead of what https implies
    "mx": ["mx.{D}"],    # "[PREFERENCE] HOST [BEHAVIOUR]"
    "zone": {},          # owner: [records], instead of what is implied
    "family": "4",       # of the MX hosts' addresses: "4", "6" or "46"
}
SCENARIO = {"does", "rfc", "domain", "other", "steps", "exim", "conf",
            "faults", "damages", "alone", "workers", "cold", "warm", "hosts", "smtpd",
            "unseen", "readme", "light"}
ACTIONS = {"send", "smtp", "route", "runq", "query", "change", "conf", "wait",
           "damage", "resolver", "exim", "many", "run", "race", "mtasts",
           "smtpd", "local", "alias"}
MODIFIERS = {"of", "from", "clock", "fresh", "queue", "shots", "option",
             "only", "unseen", "fields", "by",
             "client"}
EXPECTATIONS = {"state", "log", "no_log", "at", "untouched", "tls", "sni",
                "gets", "gets_max", "txts", "txts_max", "asked", "verdict",
                "mode", "id", "source", "why", "under", "exit", "out",
                "no_out", "mx", "touched", "request", "requests", "panic",
                "spool", "header", "said", "not_said", "recorded"}
# Where a scenario or a step can run; exim and smtpd are either of theirs.
HOSTS = {"exim", "heavy", "light", "smtpd", "smtpd6", "smtpd7"}
OF = {"exim": {"exim", "heavy"}, "light": {"exim", "light"},
      "smtpd6": {"smtpd", "smtpd6"}, "smtpd7": {"smtpd", "smtpd7"}}


@dataclass
class Scenario:
    ident: str
    does: str
    rfc: str
    domains: dict[str, dict]  # the first is the scenario's own
    steps: list[dict]
    variant: str = "split"  # of the configuration of the mail server
    conf: dict = field(default_factory=dict)
    alone: bool = False
    flavours: list[str] = field(default_factory=list)  # []: with the mail server

    @property
    def domain(self) -> str:
        return next(iter(self.domains))


def load(path: Path, host: str = "exim") -> list[Scenario]:
    """What is to be run at one host: exim, that is, with dlfunc; light, without;
    smtpd6 or smtpd7.  "light" in a scenario says why not there."""
    with path.open("rb") as f:
        tables = dict(x for item in tomllib.load(f).items()
                      for x in _damages(*item))
    _promises(list(tables.values()))
    out = [_scenario(ident, t, host) for ident, t in tables.items()
           if meant(t.get("hosts", ["exim"]), host) and
           not (host == "light" and "light" in t)]
    seen: dict[str, str] = {}
    for s in out:
        for d in s.domains:
            if seen.setdefault(d, s.ident) != s.ident:
                raise net.WorldError(f"{d}: in {seen[d]} and in {s.ident}")
    return out


def _promises(tables: list[dict]) -> None:
    """Each row of README's table of faults has its scenarios, with Exim and with
    OpenSMTPD; "readme" is how the row begins."""
    text = (net.REPO / "README.md").read_text()
    rows = re.findall(r"(?m)^\| (.*?) \|", text.partition("| fault | mail |")[2]
                      .partition("\n\n")[0])
    held: dict[str, set[str]] = {row: set() for row in rows}
    for t in tables:
        begins = t.get("readme", "")
        of = [row for row in rows if begins and row.startswith(begins)]
        if begins and len(of) != 1:
            raise net.WorldError(f"README has not one fault {begins!r}")
        for row in of:
            held[row] |= {h for h in ("exim", "smtpd7")
                          if meant(t.get("hosts", ["exim"]), h)}
    for row, hosts in held.items():
        if hosts != {"exim", "smtpd7"}:
            raise net.WorldError(f"not tested with Exim and OpenSMTPD: {row}")


def meant(words: str | list[str], host: str) -> bool:
    words = [words] if isinstance(words, str) else words
    if set(words) - HOSTS:
        raise net.WorldError(f"there is no host {set(words) - HOSTS}")
    return bool(OF[host] & set(words))


def _scenario(ident: str, t: dict, host: str) -> Scenario:
    unknown = set(t) - SCENARIO - set(DOMAIN)
    if unknown:
        raise net.WorldError(f"{ident}: unknown {', '.join(sorted(unknown))}")
    name = t.get("domain", f"{ident.lower()}.test")
    own = {k: v for k, v in t.items() if k in DOMAIN}
    domains = {name: _domain(name, own)}
    for other, more in t.get("other", {}).items():
        for one in _numbered(_fill(other, name)):
            domains[one] = _domain(one, _fill(more, name))
    steps = _fill(t.get("steps", []), name)
    for n, fault in enumerate(t.get("faults", [])):
        steps += _fault(domains, f"{n}.{name}", own, fault, t)
    for step in steps:
        _check(ident, step)
    needs_mta = {"send", "local", "smtp", "route", "runq", "exim", "many"}
    smtpd = host.startswith("smtpd")
    mta = smtpd or any(needs_mta & set(s) for s in steps)
    variant = t.get("smtpd", "shipped") if smtpd else t.get("exim", "split")
    steps = [s | {k: t[k] for k in ("unseen",) if k in t} for s in steps
             if meant(s.get("only", ["exim", "smtpd"]), host)]
    return Scenario(ident, t["does"], t["rfc"], domains, steps,
                    variant, _fill(t.get("conf", {}), name),
                    t.get("alone", False),
                    [] if mta else t.get("workers", ["openssl", "gnutls"]))


def _numbered(name: str) -> list[str]:
    """"[3].NAME" is 0.NAME, 1.NAME and 2.NAME."""
    many = re.match(r"\[(\d+)\]\.", name)
    return [f"{n}.{name[many.end():]}" for n in range(int(many[1]))] \
        if many else [name]


# With a policy in the cache: at a host that keeps to it, at one without TLS,
# with a policy that has expired; and a domain that nothing is known of.
KNOWN = ["good.{D}", "live.{D}", "old.{D}"]
DAMAGED = [*KNOWN, "new.{D}"]


def _damages(ident: str, t: dict) -> list[tuple[str, dict]]:
    """A scenario for each row of damages: mail to all four, while something of
    this host is broken, and when it is mended."""
    if "damages" not in t:
        return [(ident, t)]
    common = {k: v for k, v in t.items() if k != "damages"}
    return [(f"{ident}-{row['name']}", _damaged(common, row))
            for row in t["damages"]]


def _damaged(common: dict, row: dict) -> dict:
    unknown = set(row) - {"name", "does", "first", "harm", "mend", "good",
                          "says", "hosts", "readme", "light"}
    if unknown:
        raise net.WorldError(f"{row['name']}: unknown {unknown}")
    rcpts = [f"u@{d}" for d in DAMAGED]
    good = row.get("good", "delivered")
    state = dict.fromkeys(rcpts, "deferred") | {rcpts[0]: good}
    first = {"send": rcpts[:3], "state": "delivered", "tls": "TLSv1.3"}
    harmed = {"send": rcpts, "state": state,
              "at": ["mx.good.{D}"] if good == "delivered" else [],
              "log": row["says"], "said": row["says"]}
    mended = {"runq": "often", "tls": "TLSv1.3", "spool": 0,
              "at": [f"mx.{d}" for d in DAMAGED[good == "delivered":]]}
    if good == "any":
        del state[rcpts[0]], harmed["at"], mended["at"]
        mended["state"] = dict.fromkeys(rcpts[1:], "delivered")
    looks = {"only": "smtpd", "wait": 1.2}  # once a second
    steps = [
        *row.get("first", []), first, {"damage": "aged old.{D}"},
        *({"change": {"mx": [f"mx.{d} no-starttls"]}, "of": d}
          for d in DAMAGED[1:]),
        *row["harm"], looks, harmed,
        *row["mend"], *({"change": {"mx": [f"mx.{d}"]}, "of": d}
                        for d in DAMAGED[1:]), looks, mended]
    return common | {
        "does": f"{row['does']}: {common['does']}", "hosts": row.get("hosts", common["hosts"]), "txt": [], "mx": [],
        "other": {d: {"mx": [f"mx.{d}"]} for d in DAMAGED},
        "steps": steps, "readme": row.get("readme", "")} | {
            k: row[k] for k in ("light",) if k in row}


def _fault(domains: dict, name: str, own: dict, fault: dict,
           t: dict) -> list[dict]:
    """One way to fail, twice: with an empty cache and with a live policy."""
    fault = dict(fault)
    cold = {"verdict": "none", **t.get("cold", {}), **fault.pop("cold", {})}
    warm = {"verdict": "policy", "id": "1", **t.get("warm", {}),
            **fault.pop("warm", {})}
    both = fault.pop("both", None)
    if both is not None:
        cold, warm = cold | both, warm | both
    bad, had = name, f"had.{name}"
    domains[bad] = _domain(bad, own | fault)
    domains[had] = _domain(had, own)
    change = {"id": "2", **fault}
    return [{"query": bad, **_fill(cold, bad)},
            {"query": had, "verdict": "policy", "id": "1"},
            {"change": _fill(change, had), "of": had, "was": _fill(own, had)},
            {"query": had, "fresh": True, **_fill(warm, had)}]


def _domain(name: str, more: dict) -> dict:
    unknown = set(more) - set(DOMAIN)
    if unknown:
        raise net.WorldError(f"{name}: unknown {', '.join(sorted(unknown))}")
    return _fill(copy.deepcopy(DOMAIN) | more, name)


def _check(ident: str, step: dict) -> None:
    known = ACTIONS | MODIFIERS | EXPECTATIONS | {"was"}
    if set(step) - known:
        raise net.WorldError(f"{ident}: unknown {set(step) - known}")
    if len(set(step) & ACTIONS) != 1:
        raise net.WorldError(f"{ident}: a step does one thing: {step}")


def _fill(v, domain: str):
    if isinstance(v, str):
        v = v.replace("{D}", domain)
        return re.sub(r"\{(.)\*(\d+)\}", lambda m: m[1] * int(m[2]), v)
    if isinstance(v, list):
        return [_fill(x, domain) for x in v]
    if isinstance(v, dict):
        return {_fill(k, domain): _fill(x, domain) for k, x in v.items()}
    return v


# --- a domain made real ------------------------------------------------------

def specs(s: Scenario) -> list[tuple[dict, str]]:
    """All that policy hosts of the scenario will have to do."""
    out = [(d["https"], name) for name, d in s.domains.items()]
    out += [(step["change"]["https"], step.get("of", s.domain))
            for step in s.steps if "https" in step.get("change", {})]
    return [(spec, name) for spec, name in out if isinstance(spec, dict)]


def records(name: str, d: dict) -> dict[str, list[str]]:
    """The DNS of a domain; makes its policy and its MX hosts on the way."""
    out: dict[str, list[str]] = {}
    out[f"_mta-sts.{name}"] = _txt(d)
    out[f"mta-sts.{name}"] = _policy_host(name, d)
    out[name] = []
    for n, text in enumerate(d["mx"]):
        words = text.split()
        pref = words.pop(0) if words[0].isdigit() else str(10 * (n + 1))
        out[name].append(f"MX {pref} {words[0].rstrip('.')}.")
        if len(words) > 1 and words[1] == "-":
            continue
        h = mx_host(words)
        out.setdefault(h.name, [])
        out[h.name] += [a for a in (f"A {h.v4}", f"AAAA {h.v6}")
                        if ("6" if "AAAA" in a else "4") in d["family"]]
    for owner, lines in d["zone"].items():
        out[owner] = [_with_hosts(x) for x in lines]
    return out


def mx_host(words: list[str]) -> smtp.Host:
    """HOST [BEHAVIOUR] [cert=NAME] [at=ADDRESS]"""
    more: dict = {}
    plain = []
    for w in words:
        key, eq, value = w.partition("=")
        if not eq:
            plain.append(w)
        elif key == "cert":
            more["names"] = [value]
        else:
            more[key] = value
    return smtp.host(*plain, **more)


def _with_hosts(record: str) -> str:
    """"HOST ..." is the address of an MX host, made on the way."""
    words = record.split()
    if words[0] == "HOST":
        return f"A {mx_host(words[1:]).v4}"
    if record == "TLSA good":
        return f"TLSA {ca.tlsa()}"
    if record == "TLSA bad":
        return f"TLSA 3 1 1 {'5a' * 32}"
    if words[0] == "TXTS":
        return dns.txt(record[5:])
    return record


def _txt(d: dict) -> list[str]:
    if isinstance(d["txt"], str):
        if d["txt"] not in dnsd.KINDS:
            raise net.WorldError(f"txt: no nameserver {d['txt']!r}")
        return [f"NS {d['txt']}.badns.test."]
    texts = d["txt"]
    if texts is None:
        texts = [f"v=STSv1; id={d['id']};"]
    return [dns.txt(t) for t in texts]


def _policy_host(name: str, d: dict) -> list[str]:
    spec = d["https"]
    does = spec.get("script", "plain") if isinstance(spec, dict) else "plain"
    https.put(name, body(d), does)
    if d["addr"] is not None:
        return [_address(x, spec) for x in d["addr"]]
    if spec == "nxdomain":
        return []
    return [f"A {https.address(spec)}"]


def _address(word: str, spec) -> str:
    """"4", "6": where spec lives; "PLACE/4": a place; else a record."""
    if word in ("4", "6"):
        v6 = word == "6"
        return ("AAAA " if v6 else "A ") + https.address(spec, v6)
    place, _, family = word.partition("/")
    if place in https.PLACES:
        v6 = family == "6"
        return ("AAAA " if v6 else "A ") + https.address(place, v6)
    return word


def body(d: dict) -> str | None:
    """The policy file."""
    p = d["policy"]
    if p is False:
        return None
    if p not in ("enforce", "testing", "none"):
        return p
    lines = ["version: STSv1", f"mode: {p}"]
    for x in d["patterns"]:
        many = re.fullmatch(r"\[(\d+)\]", x)
        lines += _short_patterns(int(many[1])) if many else [f"mx: {x}"]
    lines.append(f"max_age: {d['max_age']}")
    return "\n".join(lines) + "\n"


def _short_patterns(n: int) -> list[str]:
    """As many distinct patterns as go into 64 KiB."""
    a = "abcdefghijklmnopqrstuvwxyz0123456789"
    return [f"mx:{x}.{y}{z}" for x in a for y in a[:26] for z in a[:26]][:n]
