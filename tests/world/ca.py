# SPDX-License-Identifier: ISC
"""A throw-away certificate authority, and every kind of bad certificate.

By the openssl command line.  One key for all leaves: what is tested is names,
dates and chains.
"""
import base64
import hashlib
import os
import subprocess
import threading
from pathlib import Path

import net

DIR = net.ROOT / "ca"
_lock = threading.Lock()

# Kinds that differ from a good certificate in something else than its names.
KINDS = {
    "good", "self-signed", "other-ca", "expired", "not-yet", "client-only",
    "no-san",
}


def build() -> None:
    """Make the CA and put it where Exim, GnuTLS and OpenSSL look."""
    DIR.mkdir()
    _key("leaf")
    for name in ("ca", "other"):
        _key(name)
        _openssl("req", "-x509", "-new", "-key", f"{name}.key", "-out",
                 f"{name}.pem", "-days", "30", "-subj", f"/CN=world {name}",
                 "-addext", "basicConstraints=critical,CA:TRUE",
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                 when="-3d")
    # Written by rename: the bundle may be a file of the host below an overlay.
    certs = Path("/etc/ssl/certs")
    bundle = certs / "ca-certificates.crt"
    text = bundle.read_text() if bundle.exists() else ""
    new = certs / "ca-certificates.crt.new"
    new.write_text(text + (DIR / "ca.pem").read_text())
    new.rename(bundle)
    hashed = _openssl("x509", "-in", "ca.pem", "-noout", "-hash").strip()
    (certs / f"{hashed}.0").write_text((DIR / "ca.pem").read_text())


def cert(names: list[str], kind: str = "good") -> str:
    """The stem of DIR/STEM.{pem,key} for names (as in subjectAltName).

    A name is a DNS name, or "TYPE:value" in openssl's words, "DER:..." too.
    """
    stem = _stem(names, kind)
    with _lock:
        if not (DIR / f"{stem}.pem").exists():
            _make(stem, names, kind)
    return stem


def tlsa() -> str:
    """Of the key that all leaves have: "3 1 1 ..." (RFC 6698 2.1)."""
    pem = _openssl("pkey", "-in", "leaf.key", "-pubout")
    spki = base64.b64decode("".join(pem.splitlines()[1:-1]))
    return f"3 1 1 {hashlib.sha256(spki).hexdigest()}"


def _stem(names: list[str], kind: str) -> str:
    digest = hashlib.sha256(repr((names, kind)).encode()).hexdigest()
    return f"{kind}-{digest[:16]}"


def _make(stem: str, names: list[str], kind: str) -> None:
    if kind not in KINDS:
        raise net.WorldError(f"no certificate kind {kind!r}")
    san = ",".join(n if ":" in n else f"DNS:{n}" for n in names)
    if len(names) == 1 and san.startswith("DER:"):
        cn = "world"
    else:
        cn = next((n for n in names if ":" not in n), "world")[:64]
    argv = ["req", "-new", "-x509", "-key", "leaf.key",
            "-out", f"{stem}.part", "-days", "30",
            "-subj", f"/CN={cn}", "-addext", "basicConstraints=CA:FALSE",
            "-addext", "extendedKeyUsage=" +
            ("clientAuth" if kind == "client-only" else "serverAuth")]
    if kind != "no-san":
        argv += ["-addext", f"subjectAltName={san}"]
    if kind != "self-signed":
        signer = "other" if kind == "other-ca" else "ca"
        argv += ["-CA", f"{signer}.pem", "-CAkey", f"{signer}.key"]
    # Some days old, so that a scenario may set its clock back a little.
    _openssl(*argv, when={"expired": "-1000d", "not-yet": "+1000d"}
             .get(kind, "-3d"))
    (DIR / f"{stem}.part").rename(DIR / f"{stem}.pem")
    (DIR / f"{stem}.key").symlink_to("leaf.key")


def _key(name: str) -> None:
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out",
             f"{name}.key")


def _openssl(*argv: str, when: str | None = None) -> str:
    cmd = ["openssl", *argv]
    env = os.environ | (net.clock(when) if when else {})
    p = subprocess.run(cmd, cwd=DIR, env=env, text=True, check=False,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if p.returncode != 0:
        raise net.WorldError(f"{' '.join(cmd)}: {p.stderr.strip()}")
    return p.stdout
