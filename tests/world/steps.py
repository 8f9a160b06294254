# SPDX-License-Identifier: ISC
"""What a scenario can do: one function per word."""
import json
import re
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import damage
import dns
import dnsd
import expect
import mta
import net
import recorded
import scenario

MTASTS = "/usr/bin/mtasts"
WORKERS = expect.WORKERS
# Configurations that are not ours, or have actions without our filter.
UNSEEN = {"plain", "smarthost", "shared", "sticky", "own-mx", "no-filter",
          "smarthost-all"}
CONF = {"worker_dir": "/usr/libexec/mtasts", "fetch_timeout": "6s",
        "dns_timeout": "2s"}


@dataclass
class Place:
    """Where one run of a scenario keeps its configuration and cache."""
    scenario: scenario.Scenario
    flavour: str | None
    dir: Path
    conf: dict = field(default_factory=dict)
    domains: dict[str, dict] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    variant: str = ""  # of the mail server's configuration, now

    @property
    def through_mta(self) -> bool:
        return self.flavour is None

    @property
    def conf_file(self) -> Path:
        return mta.server.CONF if self.through_mta else self.dir / "mtasts.conf"

    @property
    def cache(self) -> Path:
        return mta.server.CACHE if self.through_mta else self.dir / "cache"

    @property
    def records(self) -> bool:
        """Is every session of this place to be recorded?"""
        return self.variant not in UNSEEN and \
            self.conf.get("enabled") != "no" and self.conf_file.exists() and \
            not mta.server.light

    def note(self, text: str) -> None:
        self.notes.append(text.rstrip())


@dataclass
class Seen:
    """What came of one action, to be held against the expectations."""
    seconds: float = 0.0
    exit: int = 0
    out: str = ""
    sent: mta.Sent | None = None
    answers: list[dict] = field(default_factory=list)


def begin(s: scenario.Scenario, flavour: str | None) -> Place:
    """Everything as the scenario says, before its first step."""
    top = Path("/") if flavour else mta.server.TOP
    p = Place(s, flavour, top / net.ROOT.relative_to("/") / "run" /
              f"{s.ident}-{flavour or 'mta'}")
    p.dir.mkdir(parents=True, exist_ok=True)
    p.variant = s.variant
    changes: dict[str, list[str]] = {}
    for name, d in s.domains.items():
        p.domains[name] = dict(d)
        changes |= scenario.records(name, d)
    dns.set_records(changes)
    p.conf = CONF | s.conf
    if p.through_mta:
        mta.server.wipe()
        mta.server.wipe_cache()
        recorded.wipe()
    else:
        p.conf |= {"cache_dir": str(p.cache), "worker_flavour": flavour}
        shutil.rmtree(p.cache, ignore_errors=True)
        p.cache.mkdir()
        mta.server.own(p.cache)
        p.cache.chmod(0o750)
    write_conf(p)
    if p.through_mta:
        mta.server.use(s.variant)
    return p


def write_conf(p: Place) -> None:
    """Top keys first; a table is a section."""
    lines = [f"{k} = {_value(v)}" for k, v in p.conf.items()
             if not isinstance(v, dict) and k != "raw"]
    for name, keys in p.conf.items():
        if isinstance(keys, dict):
            lines.append(f'[domain "{name}"]')
            lines += [f"{k} = {v}" for k, v in keys.items()]
    lines.append(p.conf.get("raw", ""))
    if p.through_mta:
        lines.append(recorded.CONF)
    tmp = p.conf_file.with_suffix(".new")
    tmp.write_text("\n".join(lines) + "\n")
    tmp.chmod(0o644)
    tmp.rename(p.conf_file)


def _value(v) -> str:
    """"@silent" is that nameserver's address, {world} where its files are."""
    v = str(v).replace("{world}", str(net.ROOT))
    return re.sub(r"@([a-z-]+)", lambda m: dnsd.address(m.group(1)), v)


# --- actions -----------------------------------------------------------------

def act(p: Place, step: dict) -> Seen:
    word = next(iter(set(step) & scenario.ACTIONS))
    start = time.monotonic()
    seen = globals()[f"do_{word}"](p, step) or Seen()
    seen.seconds = time.monotonic() - start
    return seen


def do_send(p: Place, step: dict) -> Seen:
    to = step["send"]
    sent = mta.server.send([to] if isinstance(to, str) else to,
                     sender=step.get("from", "s@sender.test"),
                     fields=step.get("fields", ""),
                     queue_only=step.get("queue", False))
    p.note(sent.log + sent.output)
    return Seen(sent=sent, out=sent.output)


def do_runq(p: Place, step: dict) -> Seen:
    at = mta.server.log_size()
    if step["runq"] == "often":
        mta.server.drain(20)
    else:
        mta.server.runq(step["runq"] == "force")
    log = mta.server.log_since(at)
    sent = mta.Sent("", [])
    mta.server.judge(sent, log)
    p.note(log)
    return Seen(sent=sent)


def user(step: dict) -> str:
    """Of a program of this host; "owner": whose the spool is."""
    name = step.get("by", "root")
    return mta.server.USER if name == "owner" else name


def do_smtp(p: Place, step: dict) -> Seen:
    at = mta.server.log_size()
    more = {"address": step["client"]} if "client" in step else {}
    if "by" in step:
        more["user"] = user(step)
    out = mta.server.smtp(step["smtp"], **more)
    sent = mta.Sent("", [], log=mta.server.log_since(at))
    p.note(out + sent.log)
    return Seen(sent=sent, out=out)


def do_route(p: Place, step: dict) -> Seen:
    out = mta.server.route(step["route"], *step.get("option", "-bt").split())
    p.note(out)
    return Seen(out=out)


def do_exim(p: Place, step: dict) -> None:
    p.variant = step["exim"]
    mta.server.use(step["exim"])


def do_local(p: Place, step: dict) -> Seen:
    """As "send", by a program of this host instead of SMTP."""
    to = step["local"]
    sent = mta.server.local([to] if isinstance(to, str) else to,
                            sender=step.get("from", "s@sender.test"),
                            user=user(step))
    p.note(sent.log + sent.output)
    return Seen(sent=sent, out=sent.output)


def do_alias(p: Place, step: dict) -> None:
    """Local names and where their mail goes."""
    mta.server.alias(step["alias"])


def do_smtpd(p: Place, step: dict) -> None:
    p.variant = step["smtpd"]
    mta.server.use(step["smtpd"])


def command(p: Place) -> list[str]:
    """mtasts(1), where the mail server itself is."""
    run = mta.server.RUN if p.through_mta else []
    name = "/etc/mtasts.conf" if p.through_mta else str(p.conf_file)
    return [*run, MTASTS, "-c", name]


def do_query(p: Place, step: dict) -> Seen:
    names = step["query"]
    return _query(p, [names] if isinstance(names, str) else names, step)


def _query(p: Place, names: list[str], step: dict) -> Seen:
    argv, env = command(p), None
    if "clock" in step:
        env, argv[-1] = _clock(p, step["clock"])
    argv += ["query", "--json"]
    if step.get("fresh"):
        argv.append("--fresh")
    r = subprocess.run([*argv, "--", *names], text=True, check=False,
                       capture_output=True, timeout=90, env=env)
    p.note(f"$ {' '.join(argv)} {' '.join(names)} [{r.returncode}]\n"
           f"{r.stdout}{r.stderr}")
    answers = []
    for line in r.stdout.splitlines():
        try:
            a = json.loads(line)
        except ValueError as e:
            raise expect.Wrong(f"not JSON: {line!r} ({e})") from e
        answers += a if isinstance(a, list) else [a]
    return Seen(exit=r.returncode, out=r.stdout + r.stderr, answers=answers)


def do_mtasts(p: Place, step: dict) -> Seen:
    """Another command of the program."""
    argv = step["mtasts"]
    program, env = command(p), None
    if "clock" in step:
        env, program[-1] = _clock(p, step["clock"])
    r = subprocess.run([*program, *argv], text=True, check=False,
                       capture_output=True, timeout=90, env=env)
    p.note(f"$ mtasts {' '.join(argv)} [{r.returncode}]\n{r.stdout}{r.stderr}")
    return Seen(exit=r.returncode, out=r.stdout + r.stderr)


def _clock(p: Place, offset: str) -> tuple[dict[str, str], str]:
    """Another time of day for the asker and, by a wrapper, for the worker."""
    env = net.clock(offset)
    d = p.dir / f"clock{offset}"
    d.mkdir(exist_ok=True)
    inside = d.relative_to(mta.server.TOP if p.through_mta else "/")
    for w in WORKERS:
        (d / w).write_text(
            "#!/bin/sh\n" + "".join(f"export {k}={v}\n"
                                    for k, v in env.items())
            + f"exec {CONF['worker_dir']}/{w} \"$@\"\n")
        (d / w).chmod(0o755)
    (d / "mtasts.conf").write_text(p.conf_file.read_text().replace(
        CONF["worker_dir"], f"/{inside}"))
    return env | {"PATH": "/usr/bin:/bin"}, f"/{inside}/mtasts.conf"


def do_race(p: Place, step: dict) -> Seen:
    """Many processes ask for the same at once."""
    with ThreadPoolExecutor(max_workers=60) as pool:
        all_seen = list(pool.map(
            lambda _: _query(p, [step["race"]], step),
            range(step.get("shots", 50))))
    seen = Seen(exit=max(s.exit for s in all_seen))
    for s in all_seen:
        seen.answers += s.answers
    return seen


def do_many(p: Place, step: dict) -> Seen:
    """One message to many domains: of each name "N.NAME", up to the number."""
    rcpts = [f"u@{i}.{name}" for name, n in step["many"].items()
             for i in range(n)]
    sent = mta.server.send(rcpts, timeout=300)
    p.note(sent.log[-3000:] + sent.output[-1000:])
    return Seen(sent=sent)


def do_change(p: Place, step: dict) -> None:
    """Some of a domain's settings become others; all else stays."""
    name = step.get("of", p.scenario.domain)
    d = p.domains[name] | step["change"]
    p.domains[name] = scenario._fill(d, name)
    dns.set_records(scenario.records(name, p.domains[name]))


def do_conf(p: Place, step: dict) -> None:
    p.conf = p.conf | step["conf"]
    write_conf(p)


def do_resolver(p: Place, step: dict) -> None:
    """Everybody's resolver, Exim's too: "frozen" or "thawed"."""
    {"frozen": dns.freeze_resolver, "thawed": dns.thaw_resolver}[
        step["resolver"]]()


def do_wait(p: Place, step: dict) -> None:
    """Seconds, or until no worker runs any more."""
    if step["wait"] == "workers":
        net.wait_until(lambda: not net.running(*WORKERS), 60, "worker's end")
    else:
        time.sleep(step["wait"])


def do_damage(p: Place, step: dict) -> None:
    name, _, arg = step["damage"].partition(" ")
    damage.KINDS[name](p.cache, arg)


def do_run(p: Place, step: dict) -> Seen:
    """A program of tests/world/special.py, for what has no word of its own."""
    import special
    import special_report
    import special_smtpd
    import special_waiting
    programs = special.PROGRAMS | special_smtpd.PROGRAMS | \
        special_report.PROGRAMS | special_waiting.PROGRAMS
    out = programs[step["run"]](p)
    p.note(out)
    return Seen(out=out)
