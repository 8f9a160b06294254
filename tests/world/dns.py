# SPDX-License-Identifier: ISC
"""The DNS of the world: knot as authority, unbound as validating resolver.

Everything lives in one zone, test., or in signed.test., which are written anew
at each change; a bogus one stands beside them.  unbound caches nothing, so a
change is seen at once, and its log tells who asked what.
"""
import re
import signal
import subprocess
import threading

import dnsd
import net

DIR = net.ROOT / "dns"
AUTH = "198.18.53.1"
_lock = threading.RLock()
_zone: dict[str, list[str]] = {}  # owner -> ["TYPE data", ...]
SIGNED = "signed.test"
_serial = 1
_unbound: subprocess.Popen | None = None

KNOT = f"""
server:
  rundir: "{DIR}"
  listen: {AUTH}@53
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "{DIR}/db"
log:
- target: stderr
  any: warning
policy:
- id: sign
  algorithm: ecdsap256sha256
  ksk-lifetime: 0
template:
- id: default
  storage: "{DIR}"
  file: "%s.zone"
  semantic-checks: off
  zonefile-load: whole
  journal-content: none
zone:
- domain: test.
- domain: bogus.test.
- domain: signed.test.
  dnssec-signing: on
  dnssec-policy: sign
  zonefile-sync: -1
  zonefile-load: whole
  journal-content: changes
"""

UNBOUND = """
server:
  username: ""
  chroot: ""
  pidfile: ""
  directory: "{dir}"
  use-syslog: no
  logfile: "{dir}/unbound.log"
  log-time-ascii: no
  log-queries: yes
  num-threads: 1
  incoming-num-tcp: 500
  num-queries-per-thread: 4096
  interface: {addr}
  access-control: 198.18.0.0/15 allow
  do-not-query-localhost: no
  module-config: "validator iterator"
  trust-anchor: "{signed}"
  trust-anchor: "bogus.test. DS 1 13 2 {zeros}"
  local-zone: "." static
  local-zone: "test." transparent
  cache-max-ttl: 0
  cache-max-negative-ttl: 0
  infra-host-ttl: 0
  qname-minimisation: no
  prefetch: no
  edns-buffer-size: 1232
stub-zone:
  name: "test."
  stub-addr: {auth}
remote-control:
  control-enable: yes
  control-interface: {dir}/unbound.sock
  control-use-cert: no
"""


def build() -> None:
    global _unbound
    (DIR / "db").mkdir(parents=True)
    (DIR / "knot.conf").write_text(KNOT)
    _write("test.", ["@ NS ns", f"ns A {AUTH}"])
    _write("bogus.test.", ["@ NS ns.test."] + _child_zone("bogus.test"))
    _write("signed.test.", ["@ NS ns.test."] + _child_zone("signed.test"))
    net.far_daemon(["knotd", "-c", str(DIR / "knot.conf")], DIR / "knot.log")
    net.wait_until(lambda: _ds() != "", 20, "knot")
    (DIR / "unbound.conf").write_text(UNBOUND.format(
        dir=DIR, addr=net.RESOLVER, auth=AUTH, signed=_ds(),
        zeros="00" * 32))
    start_resolver()
    net.far_daemon(net.python(net.HERE / "dnsd.py", str(DIR / "dnsd.log")),
                   DIR / "dnsd.err")
    net.wait_until(lambda: (DIR / "dnsd.log").exists(), 5, "bad nameservers")


def start_resolver() -> None:
    global _unbound
    _unbound = net.far_daemon(
        ["unbound", "-d", "-p", "-c", str(DIR / "unbound.conf")],
        DIR / "unbound.err")
    net.wait_until(lambda: "IN A" in _dig(net.RESOLVER, "ns.test", "A"), 10,
                   "unbound")


def freeze_resolver() -> None:
    """From now on nobody answers: the packets are taken, nothing comes."""
    _unbound.send_signal(signal.SIGSTOP)


def thaw_resolver() -> None:
    # A new process: a thawed one would still answer what was asked before.
    _unbound.kill()
    _unbound.wait()
    start_resolver()


def stop_resolver() -> None:
    """Nobody is at its port any more."""
    _unbound.kill()
    _unbound.wait()


def _child_zone(name: str) -> list[str]:
    """A domain with a policy, for the zones that stand on their own."""
    return [f"_mta-sts TXT \"v=STSv1; id=1;\"", "mta-sts A 198.18.1.20",
            f"@ MX 10 mx.{name}.", "mx A 198.18.128.1"]


def _dig(server: str, name: str, rtype: str) -> str:
    p = subprocess.run(net.far("kdig", "+norec" if server == AUTH else "+rec",
                               "+timeout=1", "+retry=0", f"@{server}", name,
                               rtype),
                       text=True, capture_output=True, check=False)
    return re.sub(r"[ \t]+", " ", p.stdout)


def _ds() -> str:
    if not (DIR / "db").exists() or "DNSKEY" not in \
            _dig(AUTH, "signed.test", "DNSKEY"):
        return ""
    p = subprocess.run(["keymgr", "-c", str(DIR / "knot.conf"), "signed.test.",
                        "ds"], text=True, capture_output=True, check=False)
    lines = [x for x in p.stdout.splitlines() if " DS " in x]
    return next((x for x in lines if x.split()[4] == "2"), "")


def _write(zone: str, lines: list[str]) -> None:
    text = (f"$ORIGIN {zone}\n$TTL 60\n"
            f"@ SOA ns.test. host.test. {_serial} 3600 600 86400 60\n"
            + "\n".join(lines) + "\n")
    tmp = DIR / f"{zone}new"
    tmp.write_text(text)
    tmp.rename(DIR / f"{zone}zone")


def txt(text: str) -> str:
    """A TXT record's data: strings of 255 bytes at most, all escaped."""
    raw = text.encode("latin-1")
    parts = [raw[i:i + 255] for i in range(0, len(raw), 255)] or [b""]
    return "TXT " + " ".join(
        '"' + "".join(chr(c) if 32 <= c < 127 and c not in b'"\\'
                      else f"\\{c:03d}" for c in p) + '"' for p in parts)


def set_records(changes: dict[str, list[str]], reload: bool = True) -> None:
    """Replace all records of each owner (a full name, without the dot)."""
    global _serial
    with _lock:
        for owner, records in changes.items():
            if records:
                _zone[owner.rstrip(".").lower()] = records
            else:
                _zone.pop(owner.rstrip(".").lower(), None)
        if not reload:
            return
        _serial += 1
        lines = ["@ NS ns", f"ns A {AUTH}"]
        for kind in dnsd.KINDS:
            lines.append(f"{kind}.badns A {dnsd.address(kind)}")
        signed = ["@ NS ns.test."] + _child_zone(SIGNED)
        for o, rs in _zone.items():
            mine = signed if o.endswith("." + SIGNED) else lines
            mine += [f"{o}. {r}" for r in rs]
        zones = ["test."]
        _write("test.", lines)
        if any(o.endswith("." + SIGNED) for o in changes):
            _write(f"{SIGNED}.", signed)
            zones.append(f"{SIGNED}.")
        net.sh("knotc", "-c", str(DIR / "knot.conf"), "-b", "zone-reload",
               *zones)
        # Even what may not be kept lives to the end of its second.
        net.sh("unbound-control", "-c", str(DIR / "unbound.conf"),
               "flush_zone", "test", check=False)


def mark() -> int:
    """Where the log of queries ends now; for asked()."""
    log = DIR / "unbound.log"
    return log.stat().st_size if log.exists() else 0


def asked(since: int, name: str, rtype: str = "TXT",
          source: str = net.NEAR4) -> int:
    """How often this side has asked the resolver for name."""
    with (DIR / "unbound.log").open("rb") as f:
        f.seek(since)
        text = f.read().decode("latin-1")
    want = re.compile(rf"info: {re.escape(source)} {re.escape(name)}\. "
                      rf"{rtype} IN", re.I)
    return len(want.findall(text))
