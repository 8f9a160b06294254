#!/usr/bin/python3 -B
# SPDX-License-Identifier: ISC
"""Folders with a small Debian and its OpenSMTPD, one for each release.

  debian.py [NAME...]      make those that are missing (bookworm, trixie,
                           testing); one line each: folder and version

Those called exim-RELEASE are copies with Exim in its place.  light and
light-RELEASE have no more than what is in exim4-daemon-light, of this host's
version and of those.  RELEASE-build have
what our own packaging/install-deps puts there to build with and to run the unit
tests, and libtlsrpt, which this host need not have.

They are kept in /var/cache/mtasts-tests, or where MTASTS_DEBIAN_DIR says; a
folder RELEASE there is made in another place and renamed, so a half one never
stays.  Nobody writes into a finished one: tests lay an overlay over it.
"""
import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

CACHE = Path(os.environ.get("MTASTS_DEBIAN_DIR", "/var/cache/mtasts-tests"))
# The second list: what the worker needs.  Libraries with times of 64 bits have
# names of their own since trixie.
SMTPD = ["opensmtpd", "opensmtpd-filter-dkimsign"]
BASE = ["ca-certificates", "libidn2-0", "libunbound8", "libjansson4"]
OLD = ["libgetdns10", "libcurl4", "libevent-core-2.1-7"]
NEW = [f"{p}t64" for p in OLD]
RELEASES = {"bookworm": [*SMTPD, *BASE, *OLD],
            "trixie": [*SMTPD, *BASE, *NEW],
            "testing": [*SMTPD, *BASE, *NEW]}
# The Exim of Debian 12 is that of this host.
EXIM = {f"exim-{r}": r for r in ("trixie", "testing")}
EXIM_SET = ["exim4-daemon-heavy", "libcurl3t64-gnutls", "libfaketime"]
# Beside the heavy one of this host, or of that folder.
LIGHT = {"light": "", "light-trixie": "exim-trixie",
         "light-testing": "exim-testing"}
BUILD = {f"{r}-build": r for r in ("trixie", "testing")}
SETS = ["build", "unit", "sink"]  # of install-deps
OUT = "/opt/out"  # the build folder, in those
REPO = Path(__file__).resolve().parents[2]
DEPS = Path(__file__).resolve().parents[2] / "packaging/install-deps"
MARK = "etc/mtasts-packages"  # what the folder was made with


class DebianError(Exception):
    """There is no folder to be had."""


def folder(release: str) -> Path:
    """The finished folder of a release, made if need be."""
    path = CACHE / f"debian-{release}"
    base = folder(EXIM[release]) if release in EXIM else None
    want = _apt(str(DEPS), "--list", *SETS).strip() if release in BUILD else \
        " ".join(EXIM_SET if base else RELEASES[release])
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f".lock-{release}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (path / MARK).exists() or (path / MARK).read_text() != want:
            _make(release, path, want, base)
    return path


def light(host: str) -> Path:
    """The program of exim4-daemon-light that goes with the rest of Exim there;
    unpacked if need be."""
    top = folder(LIGHT[host]) if LIGHT[host] else Path("/")
    path, want = CACHE / f"debian-{host}", version(top, "exim4-base")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f".lock-{host}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (path / MARK).exists() or (path / MARK).read_text() != want:
            _unpack_light(host, top, path, want)
    return path / "usr/sbin/exim4"


def _unpack_light(host: str, top: Path, path: Path, want: str) -> None:
    """By the package sources of top, to which nothing is written."""
    new = path.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    (new / "deb").mkdir(parents=True)
    p = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f"""set -e
    mount -t tmpfs tmpfs /mnt
    mkdir /mnt/up /mnt/work /mnt/top
    mount -t overlay overlay -o lowerdir={top},upperdir=/mnt/up,workdir=/mnt/work /mnt/top
    cp /etc/resolv.conf /mnt/top/etc/resolv.conf
    echo 'Acquire::Check-Valid-Until "false";' >/mnt/top/etc/apt/apt.conf.d/99tests
    mount --bind {new}/deb /mnt/top/srv
    chroot /mnt/top sh -c 'cd /srv && apt-get -qq update &&
        {{ apt-get -qq download exim4-daemon-light={want} ||
        apt-get -qq download exim4-daemon-light; }}'
    dpkg -x {new}/deb/*.deb {new}"""], text=True, check=False,
        env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if p.returncode != 0:
        shutil.rmtree(new, ignore_errors=True)
        raise DebianError(f"{host}: {p.stdout[-1500:]}")
    (new / "etc").mkdir(exist_ok=True)
    (new / MARK).write_text(want)
    shutil.rmtree(path, ignore_errors=True)
    new.rename(path)


def version(path: Path, package: str = "opensmtpd") -> str:
    """Of a package in a folder."""
    status = (path / "var/lib/dpkg/status").read_text(encoding="utf-8")
    m = re.search(rf"^Package: {package}\n(?:.+\n)*?Version: (.+)$", status,
                  re.M)
    return m[1] if m else "none"


def _make(release: str, path: Path, want: str, base: Path | None) -> None:
    """In another place; base is what it begins as a copy of."""
    new, old = path.with_suffix(".new"), path.with_suffix(".old")
    for d in (new, old):
        shutil.rmtree(d, ignore_errors=True)
    if base:
        subprocess.run(["cp", "-a", str(base), str(new)], check=True)
        _install(release, new, "apt-get", "-qq", "update")
        _install(release, new, "apt-get", "-qqy", "--no-install-recommends",
                 "install", *EXIM_SET)
    else:
        _debootstrap(release, new, want)
    if release in BUILD:
        shutil.copyfile(DEPS, new / "tmp/install-deps")
        _install(release, new, "sh", "/tmp/install-deps", *SETS)
    shutil.rmtree(new / "var/cache/apt", ignore_errors=True)
    shutil.rmtree(new / "var/lib/apt/lists", ignore_errors=True)
    (new / MARK).write_text(want)
    if path.exists():
        path.rename(old)
    new.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def _debootstrap(release: str, new: Path, want: str) -> None:
    argv = ["debootstrap", "--variant=minbase", "--merged-usr",
            BUILD.get(release, release), str(new), mirror()]
    if release not in BUILD:
        argv[3:3] = ["--include=" + want.replace(" ", ",")]
    for last in (False, True):
        p = subprocess.run(argv, text=True, check=False, env=_environment(),
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if p.returncode == 0:
            break
        log = new / "debootstrap/debootstrap.log"
        tail = log.read_text(errors="replace")[-1500:] if log.exists() else ""
        shutil.rmtree(new, ignore_errors=True)
        if last:
            raise DebianError(f"{release}: {p.stdout[-500:]}{tail}")
        time.sleep(10)  # a mirror in the middle of its update


def _install(release: str, new: Path, *argv: str) -> None:
    """As on a host of that release; no daemon is started."""
    # debootstrap takes an index that was not renewed for weeks; so do we.
    (new / "etc/apt/apt.conf.d/99tests").write_text(
        'Acquire::Check-Valid-Until "false";\n')
    shutil.copyfile("/etc/resolv.conf", new / "etc/resolv.conf")
    (new / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (new / "usr/sbin/policy-rc.d").chmod(0o755)
    p = subprocess.run(["chroot", str(new), *argv], text=True, check=False,
                       env=_environment(), stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT)
    if p.returncode != 0:
        shutil.rmtree(new, ignore_errors=True)
        raise DebianError(f"{release}: {p.stdout[-1500:]}")


def out_dir(build: Path, release: str) -> Path:
    """Beside the build folder of this host."""
    build = build.resolve()
    return build.with_name(f"{build.name}-{BUILD[release]}")


def run_in(release: str, build: Path, script: str) -> tuple[int, str]:
    """A shell in the folder, with the sources in /srv and build in OUT.
    Nothing is written to the folder."""
    path = folder(release)
    build.mkdir(exist_ok=True)
    p = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f"""set -e
    mount --bind -o ro {REPO} {path}/srv
    mkdir -p {path}{OUT}
    mount --bind {build} {path}{OUT}
    mount -t proc proc {path}/proc
    mount --rbind /dev {path}/dev
    mount -t tmpfs tmpfs {path}/tmp
    mount -t tmpfs tmpfs {path}/root
    exec chroot {path} sh -c '{script}'"""], text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"})
    return p.returncode, p.stdout


def compile_in(release: str, build: Path, cc: str = "gcc") -> None:
    """As on a host of that release."""
    text = ""
    for again in (True, False):
        rc, text = run_in(release, build, f"""set -e
            [ -f {OUT}/build.ninja ] ||
            CC={cc} meson setup {OUT} /srv
            meson configure {OUT} -Dtlsrpt=enabled -Dtests=true
            exec meson compile -C {OUT}""")
        if rc == 0:
            return
        if again:  # meson of another version than last time
            shutil.rmtree(build)
    raise DebianError(f"{release}: does not build with {cc}: {text[-3000:]}")


def _apt(*argv: str) -> str:
    return subprocess.run(argv, text=True, check=False, capture_output=True
                          ).stdout


def mirror() -> str:
    """Where this host has its own Debian from."""
    for line in _apt("apt-get", "indextargets", "--format",
                     "$(LABEL) $(COMPONENT) $(REPO_URI)",
                     "Identifier: Packages").splitlines():
        words = line.split()
        if words[:2] == ["Debian", "main"] and len(words) == 3:
            return words[2]
    raise DebianError("this host has no package source of Debian (is "
                      "apt-get update due?)")


def _environment() -> dict[str, str]:
    """A proxy that apt uses is for debootstrap as well."""
    env = {k: v for k, v in os.environ.items() if k.lower().endswith("_proxy")}
    m = re.search(r"='(.+)'", _apt("apt-config", "shell", "p",
                                   "Acquire::http::Proxy"))
    if m:
        env.setdefault("http_proxy", m[1])
    return env | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                  "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}


def main() -> int:
    names = sys.argv[1:] or list(RELEASES)
    known = [*RELEASES, *EXIM, *BUILD, *LIGHT]
    if set(names) - set(known):
        print(f"debian: there is only {' '.join(known)}", file=sys.stderr)
        return 2
    try:
        for name in names:
            if name in LIGHT:
                print(f"{light(name)}\texim4-daemon-light", flush=True)
                continue
            path = folder(name)
            package = "libtlsrpt0" if name in BUILD else \
                "exim4-daemon-heavy" if name in EXIM else "opensmtpd"
            print(f"{path}\t{package} {version(path, package)}", flush=True)
    except (DebianError, OSError) as e:
        print(f"debian: {e}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
