#!/usr/bin/python3 -B
# SPDX-License-Identifier: ISC
"""Build the world and run scenarios in it.

  run.py [OPTION...] [NAME...]   run all scenarios, or those named
  run.py [OPTION...] shell       a shell inside the world
  run.py list                    what there is

A NAME is an id, or a pattern such as 'E*'.  One line of verdict per
scenario, and at the end "N passed, N failed".  Status 0: all passed; 1: some
failed; 2: the world could not be built.
"""
import argparse
import fnmatch
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import ca
import damage
import dns
import exim
import expect
import https
import net
import scenario
import smtp
import steps

FILE = net.HERE / "scenarios.toml"
# The workers also where a build without --prefix looks for them.
ARTEFACTS = [
    ("modules/exim/exim.so", "/usr/lib/mtasts"),
    ("modules/worker/mtasts-fetch-openssl", "/usr/libexec/mtasts"),
    ("modules/worker/mtasts-fetch-gnutls", "/usr/libexec/mtasts"),
    ("modules/worker/mtasts-fetch-openssl", "/usr/local/libexec/mtasts"),
    ("modules/worker/mtasts-fetch-gnutls", "/usr/local/libexec/mtasts"),
    ("modules/cli/mtasts", "/usr/bin"),
]
_out = threading.Lock()


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--build", default=os.environ.get("MTASTS_BUILD", "build"))
    p.add_argument("--flavour", choices=["openssl", "gnutls"],
                   help="ask with this worker only")
    p.add_argument("--jobs", type=int, default=3,
                   help="scenarios at a time, of those without Exim")
    p.add_argument("--exim", metavar="VARIANT",
                   help='another configuration than "split": with "plain" '
                   "everything that protects must fail")
    p.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    p.add_argument("names", nargs="*", metavar="NAME")
    return p.parse_args()


def install(build: Path) -> None:
    """Put what was built where a package would."""
    for src, folder in ARTEFACTS:
        path = build / src
        if not path.exists():
            raise net.WorldError(f"{path} is not built")
        Path(folder).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, f"{folder}/{path.name}")
        os.chmod(f"{folder}/{path.name}", 0o755)


def build_world(scenarios: list[scenario.Scenario], build: Path) -> None:
    net.build()
    install(build)
    ca.build()
    dns.build()
    https.build([u for s in scenarios for u in scenario.specs(s)])
    smtp.build()
    exim.build()


def chosen(all_of_them: list, names: list[str]) -> list:
    if not names:
        return all_of_them
    out = [s for s in all_of_them
           if any(fnmatch.fnmatch(s.ident.lower(), n.lower()) for n in names)]
    for n in names:
        if not any(fnmatch.fnmatch(s.ident.lower(), n.lower()) for s in out):
            raise net.WorldError(f"there is no scenario {n}")
    return out


def run_one(s: scenario.Scenario, flavour: str | None) -> bool:
    """One run of one scenario: a line, and what happened if it failed."""
    start = time.monotonic()
    place, why = None, ""
    step: dict = {}
    try:
        place = steps.begin(s, flavour)
        for step in s.steps:
            marks = expect.Marks.now()
            seen = steps.act(place, step)
            expect.judge(place, step, seen, marks)
    except expect.Wrong as e:
        why = f"{e}; in step {short(step)}"
    except (net.WorldError, OSError, KeyError, ValueError, AttributeError,
            subprocess.SubprocessError) as e:
        why = f"{type(e).__name__}: {e}; in step {short(step)}"
        if not isinstance(e, (net.WorldError, subprocess.TimeoutExpired)):
            why += "\n" + traceback.format_exc()
    finally:
        if place and place.through_exim:
            damage.repair()
    name = s.ident + (f" {flavour}" if flavour else "")
    with _out:
        print(f"{'not ok' if why else 'ok'} {name} - {s.does} "
              f"[RFC 8461 {s.rfc}] ({time.monotonic() - start:.1f} s)")
        if why:
            report(place, why)
        sys.stdout.flush()
    return not why


def short(step: dict) -> str:
    text = json.dumps(step, ensure_ascii=False)
    return text if len(text) < 300 else text[:300] + "..."


def report(place: steps.Place | None, why: str) -> None:
    print(f"#   {why}")
    if place:
        for note in place.notes:
            for line in note[-6000:].splitlines():
                print(f"#   | {line}")
        if place.through_exim and exim.PANICLOG.exists():
            print(f"#   panic log: {exim.PANICLOG.read_text()[-1500:]}")


def run_all(scenarios: list[scenario.Scenario], args) -> tuple[int, int]:
    """Those that only ask run side by side; Exim's one after another."""
    asking = [s for s in scenarios if s.flavours and not s.alone]
    rest = [s for s in scenarios if not s.flavours or s.alone]
    rest.sort(key=lambda s: s.alone)
    results: list[bool] = []

    def flavours(s: scenario.Scenario) -> list[str | None]:
        wanted = [f for f in s.flavours if f == (args.flavour or f)]
        return wanted if s.flavours else [None]

    def both(s: scenario.Scenario) -> None:
        for f in flavours(s):
            results.append(run_one(s, f))

    with ThreadPoolExecutor(max_workers=args.jobs) as pool:
        list(pool.map(both, asking))
    for s in rest:
        both(s)
    return results.count(True), results.count(False)


def inside(args) -> int:
    scenarios = scenario.load(FILE)
    shell = args.names == ["shell"]
    mine = chosen(scenarios, [] if shell else args.names)
    for s in mine:
        if args.exim and s.exim == "split":
            s.exim = args.exim
    # A world of one's own choice is built for what is run in it.
    build_world(mine, net.REPO / args.build)
    if shell:
        for s in mine:
            dns.set_records({k: v for n, d in s.domains.items()
                             for k, v in scenario.records(n, d).items()},
                            reload=s is mine[-1])
        exim.CONF.write_text("\n".join(f"{k} = {v}" for k, v in
                                       steps.CONF.items()) + "\n")
        exim.wipe_cache()
        return subprocess.call(["bash", "-i"], cwd=net.ROOT)
    start = time.monotonic()
    passed, failed = run_all(mine, args)
    print(f"# world: {time.monotonic() - start:.0f} s")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def main() -> int:
    args = arguments()
    try:
        if args.names == ["list"]:
            for s in scenario.load(FILE):
                print(f"{s.ident}\t{s.rfc}\t{s.does}")
            return 0
        if not args.inside:
            return net.enter([sys.executable, "-B", __file__, "--inside",
                              *sys.argv[1:]])
        return inside(args)
    except net.WorldError as e:
        print(f"world: {e}", file=sys.stderr)
        if args.inside:
            for f in net.ROOT.glob("*/*.err"):
                text = f.read_text(errors="replace")[-2000:]
                if text.strip():
                    print(f"--- {f.name}\n{text}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
