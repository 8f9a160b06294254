# SPDX-License-Identifier: ISC
"""Ways to break the local side: the cache, the worker, the configuration.

Each takes the cache directory of the scenario and a word.
"""
import os
import re
import shutil
import subprocess
from pathlib import Path

import entry
import mta
import net

WITNESS = net.ROOT / "witness"  # must never change
TOOLS = Path("/usr/libexec/mtasts-tests")
PRELOAD = "etc/ld.so.preload"
WORKERS = ("mtasts-fetch-openssl", "mtasts-fetch-gnutls")


def libexec() -> Path:
    return mta.server.TOP / "usr/libexec/mtasts"


def bundle_path() -> Path:
    return mta.server.TOP / "etc/ssl/certs/ca-certificates.crt"


def entries(cache: Path) -> list[Path]:
    """Entries and marks, files and symlinks; not the lock."""
    return [p for p in cache.glob("??/*")]


def of_domain(cache: Path, domain: str) -> Path:
    found = [p for p in entries(cache) if p.name == domain]
    if not found:
        raise net.WorldError(f"no cache entry for {domain} in {cache}")
    return found[0]


def corrupt(cache: Path, how: str) -> None:
    """Spoil every policy entry: flip a byte, cut it, empty it, grow it."""
    for p in entries(cache):
        if p.is_symlink() or not p.is_file() or "~" in p.name:
            continue
        data = bytearray(p.read_bytes())
        if how == "flip":
            data[len(data) // 2] ^= 0x20
        elif how == "cut":
            data = data[:len(data) // 2]
        elif how == "empty":
            data = bytearray()
        elif how == "huge":
            data = data + b"\0" * (4 << 20)
        elif how == "version":
            data = bytearray(b"mtasts 999\n") + data
        elif how == "binary":
            data = bytearray(os.urandom(len(data)))
        p.write_bytes(data)


def unused(cache: Path, domain: str) -> None:
    """As if nobody had asked for the domain in 200 days."""
    p = of_domain(cache, domain)
    then = p.stat().st_mtime - 200 * 86400
    os.utime(p, (then, then))


def fetched_before(cache: Path, arg: str) -> None:
    """HOURS DOMAIN: when its policy was."""
    hours, domain = arg.split()
    path, ago = of_domain(cache, domain), int(hours) * 3600
    at = dict(re.findall(r"^(fetched|expires) (\d+)", path.read_text(), re.M))
    life = int(at["expires"]) - int(at["fetched"])
    entry.age(path, since=ago, fetched=ago, checked=ago, expires=ago - life)


def five_minutes(cache: Path, _: str) -> None:
    """As if no failure had made anybody look of late (RFC 8461 5)."""
    for p in [*cache.glob("??/*~failed"), *cache.glob("??/*~answered")]:
        p.unlink()


def planted(cache: Path, what: str) -> None:
    """Every entry becomes something that must not be followed."""
    shutil.rmtree(WITNESS, ignore_errors=True)
    WITNESS.mkdir()
    for n, p in enumerate([x for x in entries(cache)
                           if x.is_file() and "~" not in x.name]):
        data = p.read_bytes()
        witness = WITNESS / str(n)
        witness.write_bytes(data)
        witness.chmod(0o600)
        p.unlink()
        if what == "symlink":
            p.symlink_to(witness)
        elif what == "dangling":
            p.symlink_to(WITNESS / "born")
        elif what == "fifo":
            os.mkfifo(p, 0o666)
            mta.server.own(p)
        elif what == "directory":
            p.mkdir()
            mta.server.own(p)
        elif what == "hardlink":
            # On the file system of the cache, as an attacker would need it.
            target = cache.parent / f"witness-{n}"
            target.write_bytes(data)
            target.chmod(0o600)
            os.link(target, p)
        elif what == "foreign":
            p.write_bytes(data)
            p.chmod(0o600)


def witness_unchanged() -> str:
    bad = []
    for w in WITNESS.glob("*"):
        if w.name == "born" or not w.read_bytes():
            bad.append(str(w))
    return " ".join(bad) or "untouched"


def cache_owner(cache: Path, user: str) -> None:
    shutil.chown(cache, user)


def cache_mine(cache: Path, _: str) -> None:
    mta.server.own(cache)


def cache_mode(cache: Path, mode: str) -> None:
    cache.chmod(int(mode, 8))


def cache_gone(cache: Path, _: str) -> None:
    shutil.rmtree(cache)


def emptied(cache: Path, _: str) -> None:
    for p in cache.iterdir():
        if p.is_dir():
            shutil.rmtree(p)


def no_offers(cache: Path, _: str) -> None:
    """What the table names is not noted, and nothing is read of it."""
    for name in ("~mx-offers", "~mx-offers-before"):
        (cache / name).unlink(missing_ok=True)
        (cache / name).mkdir()


def cache_is_file(cache: Path, _: str) -> None:
    shutil.rmtree(cache, ignore_errors=True)
    cache.write_text("")


def cache_small(cache: Path, size: str) -> None:
    """A file system of its own for the cache, so small that it fills up."""
    net.tmpfs(cache, size, 0o750)
    mta.server.own(cache)


def cache_full(cache: Path, _: str) -> None:
    net.fill(cache)


def aged(cache: Path, domain: str) -> None:
    """Its policy has expired yesterday."""
    body = of_domain(cache, domain).read_bytes().split(b"\n\n", 1)[1]
    subprocess.run([str(TOOLS / "putpolicy"), str(cache), domain, "1", "31"],
                   input=body, check=True)


def cache_freed(cache: Path, _: str) -> None:
    (cache / ".filler").unlink()


def cache_remount(cache: Path, option: str) -> None:
    """Of a file system of its own: "ro", "rw", or no inode left."""
    if option == "no-inodes":
        st = os.statvfs(cache)
        option = f"nr_inodes={st.f_files - st.f_ffree}"
    command = ["mount", "-o", f"remount,{option}", str(cache)]
    # Busy while somebody writes.
    net.wait_until(lambda: subprocess.run(
        command, check=False, capture_output=True).returncode == 0, 10,
        "remount")


def cache_parts(cache: Path, owner: str) -> None:
    """All that a domain's directory can be belongs to that one."""
    for n in range(256):
        part = cache / f"{n:02x}"
        part.mkdir(mode=0o700, exist_ok=True)
        if owner == "root":
            os.chown(part, 0, 0)
        else:
            mta.server.own(part)


def cache_new(_cache: Path, _: str) -> None:
    mta.server.wipe_cache()


def resolv_mode(_cache: Path, mode: str) -> None:
    (mta.server.TOP / "etc/resolv.conf").chmod(int(mode, 8))


def worker_missing(_cache: Path, _: str) -> None:
    for f in libexec().glob("mtasts-fetch-*"):
        f.rename(f.with_name("." + f.name))


def worker_back(_cache: Path, _: str) -> None:
    for f in libexec().glob(".mtasts-fetch-*"):
        for old in libexec().glob(f.name[1:]):
            old.unlink()
        f.rename(f.with_name(f.name[1:]))


def worker_is(_cache: Path, script: str) -> None:
    """A shell script in the worker's place."""
    worker_missing(_cache, "")
    for name in WORKERS:
        path = libexec() / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


def program_is(_cache: Path, script: str) -> None:
    """A shell script in the place of mtasts(1), or none; ever on top of the real
    one, which is kept."""
    path = mta.server.TOP / "usr/bin/mtasts"
    kept = path.with_name(".mtasts")
    if not kept.exists():
        path.rename(kept)
    path.unlink(missing_ok=True)
    if script == "back":
        kept.rename(path)
    elif script != "missing":
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o644 if script == "exit 0 # no program" else 0o755)


def conf_gone(_cache: Path, _: str) -> None:
    mta.server.CONF.unlink()


def conf_mode(_cache: Path, mode: str) -> None:
    mta.server.CONF.chmod(int(mode, 8))


def bundle(_cache: Path, how: str) -> None:
    """The CA certificates of the system: empty, junk, gone, good again."""
    path = bundle_path()
    kept = bundle_path().with_suffix(".kept")
    if not kept.exists():
        shutil.copyfile(path, kept)
    if how == "good":
        shutil.copyfile(kept, path)
    elif how == "gone":
        path.unlink()
    else:
        path.write_text({"empty": "", "junk": "no certificate\n" * 50}[how])


def worker_ends(_cache: Path, stage: str) -> None:
    """The real one, which comes to its end at a stage that preload.c knows."""
    worker_is(_cache, f"exec env MTASTS_FAULT={stage} "
              f"LD_PRELOAD={TOOLS}/preload.so "
              '"${0%/*}/.${0##*/}" "$@"')
    kill_workers(_cache, "")


def none_left(_cache: Path, what: str) -> None:
    """descriptors, memory: of Exim's module, or of smtpd's table and filter."""
    if mta.server.NAME == "exim":
        # Exim begins anew to deliver, without its environment.
        _preload("fault", what)
        return
    for pid in net.running("table-mtasts", "filter-mtasts"):
        proc = Path(f"/proc/{pid}")
        pages = int((proc / "statm").read_text().split()[0])
        _limit(pid, *(
            ("nofile", len(list((proc / "fd").iterdir())))
            if what == "descriptors" else
            ("as", pages * os.sysconf("SC_PAGESIZE"))))


def _preload(name: str, text: str) -> None:
    """For all programs that start from now on, where the mail server lives."""
    top = mta.server.TOP
    (top / TOOLS.relative_to("/") / name).write_text(text)
    (top / PRELOAD).write_text(f"{TOOLS}/preload.so\n")


def _no_preload() -> None:
    (mta.server.TOP / PRELOAD).unlink(missing_ok=True)
    for name in ("fault", "clock"):
        (mta.server.TOP / TOOLS.relative_to("/") / name).unlink(missing_ok=True)


def clock(_cache: Path, hours: str) -> None:
    """It is so much later, for the mail server when it has been restarted."""
    _preload("clock", str(int(hours) * 3600))
    if mta.server.NAME != "exim":
        mta.server.stop()
        mta.server.start()


def enough(_cache: Path, _: str) -> None:
    _no_preload()
    for pid in net.running("table-mtasts", "filter-mtasts"):
        _limit(pid, "nofile", 1024)
        _limit(pid, "as", "unlimited")


def _limit(pid: int, what: str, n: int | str) -> None:
    """Of a process that runs, by its own user: not every root may."""
    owner = os.stat(f"/proc/{pid}")
    net.sh("setpriv", f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}",
           "--clear-groups", "prlimit", f"--pid={pid}", f"--{what}={n}:")


def policy_hosts(_cache: Path, how: str) -> None:
    """The kernel of this host refuses to connect to them; or no more."""
    route = ["prohibit", "198.18.1.0/24"]
    net.sh("ip", "route", "del", *route, check=False)
    if how == "prohibited":
        net.sh("ip", "route", "add", *route)


def kill_workers(_cache: Path, _: str) -> None:
    for pid in net.running(*WORKERS, *(f".{n}" for n in WORKERS)):
        subprocess.run(["kill", "-9", str(pid)], check=False)


def repair() -> None:
    """After a scenario: what the next one finds must be whole."""
    worker_back(mta.server.CACHE, "")
    if (mta.server.TOP / "usr/bin/.mtasts").exists():
        program_is(mta.server.CACHE, "back")
    if bundle_path().with_suffix(".kept").exists():
        bundle(mta.server.CACHE, "good")
    resolv_mode(mta.server.CACHE, "644")
    enough(mta.server.CACHE, "")
    policy_hosts(mta.server.CACHE, "open")


KINDS = {f.__name__.replace("_", "-"): f for f in (
    aged, bundle, cache_freed, cache_full, cache_gone, cache_is_file,
    cache_mine, cache_mode, cache_new, cache_owner, cache_parts, cache_remount,
    cache_small, clock, conf_gone, conf_mode, corrupt, emptied, enough,
    fetched_before, five_minutes, kill_workers, no_offers, none_left, planted,
    policy_hosts, program_is, resolv_mode, unused, worker_back,
    worker_ends, worker_is, worker_missing)}
