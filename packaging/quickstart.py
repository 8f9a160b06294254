#!/usr/bin/python3 -B
# SPDX-License-Identifier: ISC
"""The second half of packaging/quickstart, which has built everything.

Without a domain: the world of tests/world, an Exim as Debian ships it, the
same Exim with our lines, one message to each domain from either, and a table.
With a domain: what mtasts says of it, with a cache that is thrown away.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO / "tests" / "world"))

# Domain, what is wrong there, how it differs from a good one, and what is to
# become of mail to it.
SHOW = [
    ("good.test", "nothing", {}, "delivered"),
    ("testing.test", "mode testing; MX without STARTTLS",
     {"policy": "testing", "mx": ["mx.{D} no-starttls"]}, "delivered"),
    ("nopolicy.test", "no policy; MX without STARTTLS",
     {"txt": [], "policy": False, "mx": ["mx.{D} no-starttls"]}, "delivered"),
    ("nostarttls.test", "STARTTLS taken away",
     {"mx": ["mx.{D} no-starttls"]}, "deferred"),
    ("wrongname.test", "certificate of another host",
     {"mx": ["mx.{D} wrong-name"]}, "deferred"),
    ("selfsigned.test", "self-signed certificate",
     {"mx": ["mx.{D} self-signed"]}, "deferred"),
    ("expired.test", "expired certificate", {"mx": ["mx.{D} expired"]},
     "deferred"),
    ("evilmx.test", "forged first MX, its own good certificate",
     {"mx": ["5 mail.evil.test", "10 mx.{D}"]}, "delivered, TLS"),
    ("onlyevil.test", "nothing but the forged MX", {"mx": ["mail.evil.test"]},
     "deferred, no host contacted"),
]
WIDTHS = (15, 27, 26, 24)  # with two blanks between: 98
CONF = "fetch_timeout = 10s\ndns_timeout = 5s\n"


def rows(cells: list[str], widths: tuple[int, ...] = WIDTHS) -> str:
    """One row of the table, each cell wrapped in its column."""
    columns = [textwrap.wrap(c, w) or [""] for c, w in zip(cells, widths)]
    lines = []
    for n in range(max(map(len, columns))):
        parts = [(c[n] if n < len(c) else "").ljust(w)
                 for c, w in zip(columns, widths)]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def telling(log: str, rcpt: str) -> str:
    """The log line that says how it ended, without date and message id."""
    lines = [x for x in log.splitlines()
             if re.search(rf" (=>|->|==|\*\*) {re.escape(rcpt)}", x)]
    if not lines:
        return "(nothing in the log)"
    line = re.sub(r"^\S+ \S+ (\[\d+\] )?\S+ ", "", lines[-1])
    # What every line of this log has, and says nothing here.
    return re.sub(r" (F=<\S*>|P=<\S*>|S=\d+|I=\[\S+|QT=\S+|DT=\S+|"
                  r"DN=\"[^\"]*\"|K\b|PRX=\S+|R=dnslookup\b)", "", line)


def outcome(name: str, state: str, sessions: list[dict]) -> str:
    """In words of those who received it, not of those who sent it."""
    took = [s for s in sessions if s.get("data")]
    if not took:
        return state + (", message not sent" if sessions
                        else ", no host contacted")
    host, how = took[0]["host"], took[0].get("tls")
    return ("delivered" if host == f"mx.{name}" else f"delivered to {host}") \
        + (", " + how.replace("TLSv", "TLS ") if how else ", IN CLEAR")


def deliver(which: str) -> list[tuple[str, str]]:
    """What came of one message to each domain: in words, and in the log."""
    import exim
    import smtp
    exim.use(which)
    out = []
    for name, *_ in SHOW:
        exim.wipe()
        mark = smtp.mark()
        sent = exim.send([f"u@{name}"])
        state = sent.states[f"u@{name}"]
        words = outcome(name, state, smtp.sessions(mark))
        line = telling(sent.log, f"u@{name}")
        if "CV=" in line and "TLS" in words:
            words += ", certificate " + ("verified" if "CV=yes" in line
                                         else "NOT verified")
        out.append((words, line))
    return out


def show(build: Path) -> int:
    import dns
    import exim
    import run
    import scenario
    tables = {name: scenario._domain(name, dict(more))
              for name, _, more, _ in SHOW}
    world = scenario.Scenario("show", "", "", tables, [])
    run.build_world([world], build)
    records: dict[str, list[str]] = {}
    for name, d in tables.items():
        records |= scenario.records(name, d)
    dns.set_records(records)
    exim.CONF.write_text("worker_dir = /usr/libexec/mtasts\n" + CONF)
    exim.wipe_cache()
    print("sending ...", file=sys.stderr)
    plain, ours = deliver("plain"), deliver("split")
    print("\nOne message to each domain, from an Exim as Debian configures it,"
          "\nand from the same Exim with the lines of packaging/exim.  Below "
          "each row:\nthe line that the Exim with mtasts wrote to its log.\n")
    print(rows(["DOMAIN", "WHAT IS WRONG THERE", "PLAIN EXIM",
                "EXIM WITH MTASTS"]))
    wrongs = 0
    for (name, wrong, _, right), (a, _), (b, line) in zip(SHOW, plain, ours):
        print()
        print(rows([name, wrong, a, b]))
        print(textwrap.fill(line, 98, initial_indent="    ",
                            subsequent_indent="      ",
                            break_on_hyphens=False))
        if not b.startswith(right):
            print(f"    NOT AS IT SHOULD BE: {right}")
            wrongs += 1
    print("\nDeferred mail stays in the queue and is tried again; nothing is "
          "returned at once.\nThis network is gone now.  For a real domain: "
          "sudo packaging/quickstart example.com")
    return 1 if wrongs else 0


def ask(build: Path, domain: str) -> int:
    """As a mail server would, but with a cache of this moment alone."""
    with tempfile.TemporaryDirectory(prefix="mtasts-") as name:
        d = Path(name)
        d.chmod(0o755)
        cache, conf = d / "cache", d / "mtasts.conf"
        cache.mkdir(mode=0o750)
        if os.geteuid() == 0:
            shutil.chown(cache, "nobody", "nogroup")
        # The worker runs as the owner of the cache, who may not see the build.
        for f in ("worker/mtasts-fetch-openssl", "worker/mtasts-fetch-gnutls"):
            if (build / "modules" / f).exists():
                shutil.copy(build / "modules" / f, d)
        conf.write_text(f"cache_dir = {cache}\nworker_dir = {d}\n{CONF}")
        conf.chmod(0o644)
        p = subprocess.run([build / "modules/cli/mtasts", "-c", conf, "query",
                            "--", domain], stdout=subprocess.PIPE, text=True,
                           check=False)
        print(p.stdout, end="")
        if "could not ask for a policy" in p.stdout:
            print(f"quickstart: DNS did not say whether {domain} has a policy:"
                  " is there a network, and a name\nserver in "
                  "/etc/resolv.conf?", file=sys.stderr)
            return 3
        return p.returncode


def main() -> int:
    p = argparse.ArgumentParser()
    p.add_argument("--build", required=True, type=Path)
    p.add_argument("--inside", action="store_true")
    p.add_argument("domain", nargs="?")
    args = p.parse_args()
    if args.domain:
        return ask(args.build, args.domain)
    import net
    try:
        if args.inside:
            return show(args.build)
        return net.enter([sys.executable, "-B", __file__, "--inside",
                          *sys.argv[1:]])
    except net.WorldError as e:
        print(f"quickstart: {e}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
