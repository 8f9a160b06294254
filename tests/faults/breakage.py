# SPDX-License-Identifier: ISC
"""What goes wrong, and is mended again; one object for each kind of fault."""
import os
import random
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import damage
import dns
import https
import mta
import net

WORKERS = ("mtasts-fetch-openssl", "mtasts-fetch-gnutls",
           # begun before their program was moved away
           ".mtasts-fetch-openssl", ".mtasts-fetch-gnutls")


class Fault:
    """begin() and end(); times counts the faults that met any mail."""

    def __init__(self, what: str, name: str, begin: Callable[[], None],
                 end: Callable[[], None], bites: float = 0.3) -> None:
        self.what, self.name = what, name  # one fault of a thing at a time
        self._begin, self._end = begin, end
        self.bites = bites  # seconds until it has done its worst
        self.on, self.times, self.mails = False, 0, 0
        self.since = 0.0

    def begin(self) -> None:
        self._begin()
        self.on, self.mails = True, 0
        self.since = time.monotonic()

    def end(self) -> None:
        self._end()
        self.on = False
        self.times += self.mails > 0


class Cache:
    """The cache directory, a small file system of its own."""

    def __init__(self, killer: "Killer") -> None:
        self.dir: Path = mta.server.CACHE
        self.killer = killer
        self.place: dict[str, Path] = {}
        self.full = self.read_only = False
        mta.server.wipe_cache()
        damage.cache_small(self.dir, "16m")

    def learn(self) -> None:
        """Where the entry of each domain is, which does not change."""
        for p in self.dir.glob("??/*.test"):
            self.place.setdefault(p.name, p)

    def has(self, domain: str) -> bool:
        if domain in self.place:
            return os.path.lexists(self.place[domain])
        return any(os.path.lexists(self.dir / f"{n:02x}" / domain)
                   for n in range(256))

    def wipe(self) -> None:
        """Remove all entries; the key stays, so that we find things again."""
        if self.read_only:
            return
        self.learn()
        for p in self.dir.glob("??"):
            shutil.rmtree(p, ignore_errors=True)
        self.forget_resolver()
        if self.full:
            net.fill(self.dir)

    def forget_resolver(self) -> None:
        """Its silence would otherwise be remembered for half a minute."""
        if not self.read_only:
            (self.dir / "~resolver-down").unlink(missing_ok=True)

    def fill(self) -> None:
        net.fill(self.dir)
        self.full = True

    def free(self) -> None:
        (self.dir / ".filler").unlink(missing_ok=True)
        self.full = False

    def remount(self, how: str) -> None:
        for _ in range(400):
            p = subprocess.run(["mount", "-o", f"remount,{how}",
                                str(self.dir)], check=False,
                               capture_output=True)
            if p.returncode == 0:
                break
            # Refused while somebody may write: a kept worker has its lock open.
            self.killer.kill(net.running(*WORKERS))
            time.sleep(0.01)
        else:
            raise net.WorldError(f"remount {how}: {p.stderr.decode()}")
        self.read_only = how == "ro"


class Killer:
    """Kills a worker now and then."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.killed = rng, 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self.rng.uniform(0, 0.04)):
            pids = net.running(*WORKERS)
            self.kill(pids and [self.rng.choice(pids)])

    def kill(self, pids: list[int]) -> None:
        for pid in pids:
            try:
                os.kill(pid, 9)
                self.killed += 1
            except ProcessLookupError:
                pass


def _moved(path: Callable[[], Path]) -> tuple[Callable[[], None],
                                              Callable[[], None]]:
    def kept() -> Path:
        return path().with_name("." + path().name + ".kept")
    return (lambda: path().rename(kept()) and None,
            lambda: kept().rename(path()) and None)


def all_faults(cache: Cache, killer: Killer, dns_wait: float,
               fetch_wait: float) -> list[Fault]:
    """The waits: seconds until a question, or a GET, is given up."""
    def resolver_back() -> None:
        dns.start_resolver()
        cache.forget_resolver()

    def resolver_thaws() -> None:
        dns.thaw_resolver()
        cache.forget_resolver()

    def script_back() -> None:
        https.start_script()
        https.wait_script()

    return [
        Fault("cache", "disk full", cache.fill, cache.free),
        Fault("cache", "cache read-only", lambda: cache.remount("ro"),
              lambda: cache.remount("rw")),
        Fault("worker", "worker killed", killer.begin, killer.end),
        Fault("program", "worker missing",
              lambda: damage.worker_missing(cache.dir, ""),
              lambda: damage.worker_back(cache.dir, "")),
        Fault("dns", "resolver killed", dns.stop_resolver, resolver_back,
              dns_wait),
        Fault("dns", "resolver silent", dns.freeze_resolver, resolver_thaws,
              dns_wait),
        Fault("ca", "CA file moved", *_moved(damage.bundle_path)),
        Fault("conf", "configuration moved",
              *_moved(lambda: mta.server.CONF)),
        Fault("https", "policy hosts stall", https.freeze_script,
              https.thaw_script, fetch_wait),
        Fault("https", "policy hosts down", https.stop_script, script_back),
    ]
