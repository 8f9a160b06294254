#!/usr/bin/python3 -B
# SPDX-License-Identifier: ISC
"""What the worker cannot do once it is in its sandbox, tried by itself.

  sandbox.py [--build DIR] [WORD...]    all rows, or those whose name has a word

`mtasts-fetch-* --sandbox-test` asks for a policy of the private world and then
tries to break out; on this host, and as built in Debian 13 and testing.
"""
import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "world"))

import ca
import debian
import dns
import https
import net
import rows
import sink

OWNER = 65534
POLICY = ("version: STSv1\nmode: enforce\nmx: mail.pol.test\n"
          "max_age: 604800\n")
# Landlock's version that brought what refuses it, docs of the kernel.
SINCE = {"connect to another TCP port": 4, "connect to an abstract socket": 6}
FILES = ["list a directory elsewhere", "read a file elsewhere",
         "read /etc/passwd", "write to a file elsewhere",
         "make a file elsewhere", "remove a file elsewhere",
         "rename a file elsewhere"]
FLAVOURS = ("openssl", "gnutls")


class Host:
    """This one, or a folder of another release."""

    def __init__(self, build: Path, top: Path | None = None) -> None:
        self.build, self.top = build, top

    def run(self, flavour: str, *args: str) -> tuple[int, str]:
        root = self.top or Path("/")
        cache = root / "var/tmp/sandbox-cache"
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir(mode=0o750)
        shutil.chown(cache, OWNER, OWNER)
        conf = root / "var/tmp/sandbox.conf"
        conf.write_text("cache_dir = /var/tmp/sandbox-cache\n")
        argv = [f"{self.build}/modules/worker/mtasts-fetch-{flavour}", "-c",
                "/var/tmp/sandbox.conf", "--sandbox-test", *args, "pol.test"]
        if self.top:
            argv = ["chroot", "--userspec", f"{OWNER}:{OWNER}", "--groups=",
                    str(self.top), *argv]
        else:
            argv = ["setpriv", "--reuid", str(OWNER), "--regid", str(OWNER),
                    "--clear-groups", *argv]
        # Leaks cannot be looked for without ptrace(2).
        p = subprocess.run(argv, text=True, check=False, timeout=120,
                           stdin=subprocess.DEVNULL, capture_output=True,
                           env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                                "ASAN_OPTIONS": "detect_leaks=0"})
        return p.returncode, p.stdout + p.stderr


def line(text: str, what: str) -> str:
    m = re.search(rf"^{re.escape(what)} +(.+)$", text, re.M)
    return m[1] if m else "not tried"


def holds(host: Host, flavour: str) -> None:
    rc, text = host.run(flavour)
    if rc != 0 or "pol.test: a policy: " not in text or "ALLOWED" in text \
            or not re.search(r"^[6-9]\d tried, 0 allowed", text, re.M):
        raise rows.Wrong(f"status {rc}\n{text}")


def names_what_is_open(host: Host, flavour: str) -> None:
    """As if the kernel were older; it never says that all is well."""
    abi = int(re.search(r"ABI (\d+) in force", host.run(flavour)[1])[1])
    for n in range(abi + 1):
        rc, text = host.run(flavour, "--abi", str(n))
        wanted = [w for w, since in SINCE.items() if n < since]
        wanted += FILES if n == 0 else []
        is_open = [w for w in [*SINCE, *FILES] if "allowed" in line(text, w)]
        said = "not in force: the kernel has no landlock" in text
        if rc != 0 or sorted(wanted) != sorted(is_open) or said != (n == 0):
            raise rows.Wrong(f"ABI {n}: status {rc}, open {is_open}\n{text}")


def build_world(_: Path) -> None:
    net.build()
    ca.build()
    https.build([({}, "pol.test")])
    https.put("pol.test", POLICY)
    dns.build()
    dns.set_records({"_mta-sts.pol.test": [dns.txt("v=STSv1; id=1;")],
                     "mta-sts.pol.test": ["A " + https.address({})]})


def compile_all(build: Path) -> None:
    if "MTASTS_ONLY_HERE" not in os.environ:
        for release in debian.BUILD:
            debian.compile_in(release, debian.out_dir(build, release))


def all_rows(build: Path) -> list[rows.Row]:
    hosts = {"this host": Host(build.resolve())}
    if "MTASTS_ONLY_HERE" not in os.environ:
        for release, name in debian.BUILD.items():
            folder = sink.Folder(release, debian.out_dir(build, release))
            folder.mount()
            hosts[name] = Host(Path(debian.OUT), folder.top)
    return [(f"{name}: {flavour}: {what}", partial(fn, host, flavour))
            for name, host in hosts.items() for flavour in FLAVOURS
            for what, fn in (("nothing gets out", holds),
                             ("an older kernel", names_what_is_open))]


if __name__ == "__main__":
    sys.exit(rows.main(__doc__, __file__, build_world, all_rows,
                       prepare=compile_all))
