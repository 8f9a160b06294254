#!/usr/bin/python3 -B
# SPDX-License-Identifier: ISC
"""The unit tests on the releases of Debian that come after this host's.

  releases.py [--build DIR] [WORD...]   all rows, or those with a word

Built there with gcc and clang, as anybody would: warnings are not errors.
"""
import re
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "world"))

import debian
import net
import rows


def loopback(_: Path) -> None:
    net.sh("ip", "link", "set", "lo", "up")


def make_folders(_: Path) -> None:
    for release in debian.BUILD:
        debian.folder(release)


def compiles(release: str, build: Path, cc: str) -> None:
    try:
        debian.compile_in(release, build, cc)
    except debian.DebianError as e:
        raise rows.Wrong(str(e)) from e


def unit_tests(release: str, build: Path) -> None:
    compiles(release, build, "gcc")
    rc, text = debian.run_in(
        release, build, f"exec meson test -C {debian.OUT} --print-errorlogs")
    if rc != 0 or not re.search(r"^Ok: +[1-9]", text, re.M):
        raise rows.Wrong(text[-6000:])


def all_rows(build: Path) -> list[rows.Row]:
    found = []
    for release in debian.BUILD:
        out = debian.out_dir(build, release)
        found += [(f"{debian.BUILD[release]}: unit tests",
                   partial(unit_tests, release, out)),
                  (f"{debian.BUILD[release]}: compiles with clang",
                   partial(compiles, release,
                           out.with_name(out.name + "-clang"), "clang"))]
    return found


if __name__ == "__main__":
    sys.exit(rows.main(__doc__, __file__, loopback, all_rows,
                       prepare=make_folders))
