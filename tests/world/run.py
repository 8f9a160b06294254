#!/usr/bin/python3 -B
# SPDX-License-Identifier: ISC
"""Build the world and run scenarios in it.

  run.py [OPTION...] [NAME...]         run all scenarios, or those named
  run.py [OPTION...] shell [NAME...]   a shell inside the world
  run.py [OPTION...] list              what there is

A NAME is an id, or a pattern such as 'E*'.  One line of verdict per
scenario, and at the end "N passed, N failed".  Status 0: all passed; 1: some
failed; 2: the world could not be built.
"""
import argparse
import fnmatch
import json
import os
import re
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
import debian
import dns
import exim
import expect
import https
import mta
import net
import opensmtpd
import scenario
import smtp
import steps

FILE = net.HERE / "scenarios.toml"
# The workers also where a build without --prefix looks for them.
EXIM = [
    ("modules/exim/exim.so", "/usr/lib/mtasts"),
    ("modules/worker/mtasts-fetch-openssl", "/usr/libexec/mtasts"),
    ("modules/worker/mtasts-fetch-gnutls", "/usr/libexec/mtasts"),
    ("modules/worker/mtasts-fetch-openssl", "/usr/local/libexec/mtasts"),
    ("modules/worker/mtasts-fetch-gnutls", "/usr/local/libexec/mtasts"),
    ("modules/report/mtasts-report", "/usr/libexec/mtasts"),
    ("modules/cli/mtasts", "/usr/bin"),
]
SMTPD = [
    ("modules/opensmtpd/table-mtasts", "/usr/libexec/opensmtpd"),
    ("modules/opensmtpd/filter-mtasts", "/usr/libexec/opensmtpd"),
    ("modules/worker/mtasts-fetch-openssl", "/usr/libexec/mtasts"),
    ("modules/worker/mtasts-fetch-openssl", "/usr/local/libexec/mtasts"),
    ("modules/report/mtasts-report", "/usr/libexec/mtasts"),
    ("modules/cli/mtasts", "/usr/bin"),
]
GROUPS = {"opensmtpd": debian.RELEASES, "exim-later": debian.EXIM,
          "exim-light": debian.LIGHT}
mta.server = exim
_out = threading.Lock()


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--build", default=os.environ.get("MTASTS_BUILD", "build"))
    p.add_argument("--flavour", choices=["openssl", "gnutls"],
                   help="ask with this worker only")
    p.add_argument("--jobs", type=int, default=3,
                   help="scenarios at a time, of those without Exim")
    p.add_argument("--host", default="exim",
                   choices=["exim", *GROUPS, *debian.EXIM, *debian.LIGHT,
                            *debian.RELEASES],
                   help="the mail server: Exim of this host or of another "
                   "Debian release, also exim4-daemon-light, the OpenSMTPD of "
                   "a release, or of all of them side by side")
    p.add_argument("--exim", metavar="VARIANT",
                   help='another configuration than "split": with "plain" '
                   "everything that protects must fail")
    # One of several hosts: not every name has to be for this one.
    p.add_argument("--some", action="store_true", help=argparse.SUPPRESS)
    p.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    p.add_argument("names", nargs="*", metavar="NAME")
    return p.parse_args()


def install(build: Path) -> None:
    """Put what was built where a package would."""
    for src, folder in EXIM if mta.server is exim else SMTPD:
        path = build / src
        folder = f"{mta.server.TOP}/{folder}"
        if not path.exists():
            raise net.WorldError(f"{path} is not built")
        Path(folder).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, f"{folder}/{path.name}")
        os.chmod(f"{folder}/{path.name}", 0o755)


def install_tools(build: Path) -> None:
    """Programs of the tests, for damage.py; smtpd's root has its own."""
    for src in ("tests/edges/putpolicy", "tests/world/preload.so"):
        for top in {Path("/"), mta.server.TOP}:
            folder = top / damage.TOOLS.relative_to("/")
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(build / src, folder)


def build_world(scenarios: list[scenario.Scenario], build: Path) -> None:
    net.build()
    ca.build()
    dns.build()
    https.build([u for s in scenarios for u in scenario.specs(s)])
    smtp.build()
    mta.server.build()
    install(build)


def chosen(all_of_them: list, names: list[str], some: bool) -> list:
    if not names:
        return all_of_them
    out = [s for s in all_of_them
           if any(fnmatch.fnmatch(s.ident.lower(), n.lower()) for n in names)]
    for n in [] if some else names:
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
            expect.judge_reports(place, step, marks)
            if mta.server.trouble():
                raise expect.Wrong(mta.server.trouble())
    except expect.Wrong as e:
        why = f"{e}; in step {short(step)}"
    except (net.WorldError, OSError, KeyError, ValueError, AttributeError,
            subprocess.SubprocessError) as e:
        why = f"{type(e).__name__}: {e}; in step {short(step)}"
        if not isinstance(e, (net.WorldError, subprocess.TimeoutExpired)):
            why += "\n" + traceback.format_exc()
    finally:
        if place and place.through_mta:
            damage.repair()
    name = s.ident + (f" {flavour}" if flavour else "")
    with _out:
        print(f"{'not ok' if why else 'ok'} {name} - {s.does} "
              f"[RFC {'' if s.rfc.startswith('8460 ') else '8461 '}{s.rfc}] ({time.monotonic() - start:.1f} s)")
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
        if place.through_mta:
            for line in mta.server.evidence().splitlines():
                print(f"#   : {line}")


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


def choose_host(args) -> list[scenario.Scenario]:
    """The mail server of this world, and what there is to be run at it."""
    if args.host in debian.RELEASES:
        mta.server = opensmtpd
        opensmtpd.choose(args.host)
    elif args.host != "exim":
        exim.choose(args.host)
    scenarios = scenario.load(
        FILE, "light" if mta.server.light else mta.server.NAME)
    # Those that only ask are the same with every mail server.
    return [s for s in scenarios if args.host == "exim" or not s.flavours]


def inside(args) -> int:
    scenarios = choose_host(args)
    if args.some and args.names and not any(
            fnmatch.fnmatch(s.ident.lower(), n.lower())
            for s in scenarios for n in args.names):
        print("0 passed, 0 failed")
        return 0
    shell = args.names[:1] == ["shell"]
    mine = chosen(scenarios, args.names[1 if shell else 0:],
                  args.some)
    for s in mine:
        if args.exim and s.variant == "split":
            s.variant = args.exim
    # A world of one's own choice is built for what is run in it.
    build_world(mine, net.REPO / args.build)
    install_tools(net.REPO / args.build)
    if shell:
        for s in mine:
            dns.set_records({k: v for n, d in s.domains.items()
                             for k, v in scenario.records(n, d).items()},
                            reload=s is mine[-1])
        mta.server.wipe()
        mta.server.wipe_cache()
        mta.server.CONF.write_text("\n".join(
            f"{k} = {v}" for k, v in steps.CONF.items()) + "\n")
        mta.server.use(mine[0].variant)
        return subprocess.call(["bash", "-i"], cwd=net.ROOT)
    start = time.monotonic()
    passed, failed = run_all(mine, args)
    if mta.server is opensmtpd:
        opensmtpd.stop()
        print(f"# {args.host}: OpenSMTPD {opensmtpd.version}")
    else:
        print(f"# {args.host}: {exim.version()}")
    print(f"# world: {time.monotonic() - start:.0f} s")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def side_by_side(args) -> int:
    """A world for each release at the same time; one count for all."""
    releases = GROUPS[args.host]
    def one(release: str) -> tuple[int, str]:
        p = subprocess.run(
            [sys.executable, "-B", __file__, "--host", release, "--build",
             args.build, "--some", *args.names], text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        with _out:
            print(re.sub(r"(?m)^((not )?ok) ", rf"\1 {release} ", p.stdout),
                  end="", flush=True)
        return p.returncode, p.stdout

    with ThreadPoolExecutor(max_workers=len(releases)) as pool:
        results = list(pool.map(one, releases))
    counts = [[int(n) for n in m.groups()] for _, text in results
              if (m := re.search(r"(?m)^(\d+) passed, (\d+) failed$", text))]
    if args.names and not any(map(sum, counts)):
        raise net.WorldError(f"no scenario is called {' '.join(args.names)}")
    broken = len(releases) - len(counts)
    print(f"{sum(c[0] for c in counts)} passed, "
          f"{sum(c[1] for c in counts) + broken} failed")
    return max(rc for rc, _ in results)


def main() -> int:
    args = arguments()
    try:
        if args.host in GROUPS:
            return side_by_side(args)
        if args.names == ["list"]:
            for s in choose_host(args):
                print(f"{s.ident}\t{s.rfc}\t{s.does}")
            return 0
        if not args.inside:
            # Needs the network of this host.
            if args.host in debian.LIGHT:
                debian.light(args.host)
            elif args.host != "exim":
                debian.folder(args.host)
            return net.enter([sys.executable, "-B", __file__, "--inside",
                              *sys.argv[1:]])
        return inside(args)
    except (net.WorldError, debian.DebianError) as e:
        print(f"world: {e}", file=sys.stderr)
        if args.inside:
            for f in [*net.ROOT.glob("*/*.err"), net.ROOT / "dns/knot.log"]:
                text = f.read_text(errors="replace")[-2000:] \
                    if f.exists() else ""
                if text.strip():
                    print(f"--- {f.name}\n{text}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
