# SPDX-License-Identifier: ISC
"""Rows of a test script: run in the private world, told one by one, counted.

A row is a name and a function that returns, or raises what is wrong; the last
line is "N passed, N failed".  Status 0: all passed; 1: some failed, or there
was none; 2: the world could not be built.
"""
import argparse
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import debian
import net

Row = tuple[str, Callable[[], None]]
_out = threading.Lock()


class Wrong(AssertionError):
    """A verdict that needs no trace: its text says all."""


def main(doc: str, script: str, build_world: Callable[[Path], None],
         rows: Callable[[Path], Iterable[Row]], *, workers: int = 1,
         prepare: Callable[[Path], None] | None = None) -> int:
    """prepare runs outside, with the network of this host; rows inside."""
    p = argparse.ArgumentParser(description=doc.splitlines()[0])
    p.add_argument("--build", default=os.environ.get("MTASTS_BUILD", "build"))
    p.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    p.add_argument("words", nargs="*", metavar="WORD")
    args = p.parse_args()
    build = net.REPO / args.build
    try:
        if not args.inside:
            if prepare:
                prepare(build)
            return net.enter([sys.executable, "-B", script, "--inside",
                              *sys.argv[1:]])
        build_world(build)
    except (net.WorldError, debian.DebianError) as e:
        print(f"{Path(script).stem}: {e}", file=sys.stderr)
        return 2
    wanted = [(name, fn) for name, fn in rows(build)
              if not args.words or any(w in name for w in args.words)]
    with ThreadPoolExecutor(max_workers=workers) as pool:
        results = list(pool.map(_run, wanted))
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if results and all(results) else 1


def _run(row: Row) -> bool:
    name, fn = row
    began, why = time.monotonic(), []
    try:
        fn()
    except Wrong as e:
        why = str(e).splitlines()
    except Exception:  # pylint: disable=broad-except
        why = traceback.format_exc().splitlines()[-6:]
    with _out:
        print(f"{'not ok' if why else 'ok'} - {name} "
              f"({time.monotonic() - began:.2f} s)")
        for line in why:
            print(f"    {line[:1500]}")
        sys.stdout.flush()
    return not why
