# SPDX-License-Identifier: ISC
"""The OpenSMTPD of a Debian release in its folder, with what we ship.

The folder itself is never written to: smtpd runs in an overlay on the tmpfs of
this world, as the same root sees it under TOP.  Messages go in through SMTP at
the address of this side, or from a local program of the folder.
"""
import os
import re
import shutil
import smtplib
import socket
import subprocess
import threading
import time
from pathlib import Path

import debian
import mta
import net
import recorded
from manual import make_key, printed
from mta import Sent

HOME = net.ROOT / "smtpd"
TOP = HOME / "root"
LOG = HOME / "log"
USER = "opensmtpd"
CACHE = TOP / "var/lib/mtasts"
CONF = TOP / "etc/mtasts.conf"
SPOOL = TOP / "var/spool/smtpd"
ALIASES = TOP / "etc/aliases"
RUN = ["/usr/sbin/chroot", str(TOP)]
SHIPPED = net.REPO / "packaging" / "opensmtpd"
PROCESSES = ("smtpd", "table-mtasts", "filter-mtasts", "mtasts-fetch-openssl",
             "mtasts-fetch-gnutls")

release = "bookworm"
version = ""
NAME = "smtpd7"  # or smtpd6, which sends no SNI
light = False  # see exim.py
SNI = True
_smtpd: subprocess.Popen | None = None
_wiped = 0  # where the log of this scenario begins

# Delays between connections, which are there to be polite to other hosts.
HASTE = "".join(f"mta limit conn-delay-{x} 0\n" for x in
                ("host", "route", "source", "connector", "relay", "domain"))
HASTE += "smtp limit max-rcpt 5000\n"
# A session is kept for 10 s, and with it what some variants are about.
QUIT = "mta limit session-keepalive 1\n"
PATIENT = {"shared", "smarthost"}

# Configurations: what becomes of the shipped one.  Each edit must match.
NO_CA, NO_SRC = (r' ca "mtasts"(?= src)', ""), (r" src <mtasts-src>", "")
VARIANTS: dict[str, list[tuple[str, str]]] = {
    "shipped": [],
    # Debian's own, as if we were not there
    "plain": [(r"(?s)\A.+", 'listen on socket\nlisten on 198.18.0.2\n'
               'action "relay" relay\n'
               'match from local for any action "relay"\n')],
    # mail of another domain to a host by name, whatever its certificate
    "smarthost": [(r"(?m)^match from auth for domain <mtasts-wait>",
                   'action "other" relay '
                   'host "smtp+tls://mx.bypass.test" tls no-verify\n'
                   'match from local for domain "other.bypass.test" '
                   'action "other"\n\\g<0>')],
    # nothing of what is queued with the action is understood
    "removed": [(r'(?m)^action "mtasts".*\n', ""),
                (r'(?m)^match .*action "mtasts"\n', "")],
    "no-src": [NO_SRC],
    "no-filter": [(r' filter "mtasts"', "")],
    # nobody sends without being known, not even from here
    "auth-only": [(r"(?m)^match from local for (domain <|any).*\n", ""),
                  (r"(?m)^match from auth", "match from src 198.18.0.2"),
                  (r"(?m)^# (match tag MTASTS_AGAIN)", r"\1"),
                  (r"(?m)^action .mtasts-wait. .*", r'\g<0> helo "SECRET"'),
                  (r"(?m)^listen on socket$", r"\g<0> tag SOCKET")],
    # as it was before there was a table of what waits
    "old-rules": [(r"(?m)^.*(mtasts-wait|MTASTS_AGAIN mask-src).*\n", "")],
    # what waits is not let in again
    "auth-only-bare": [(r"(?m)^match from local for (domain <|any).*\n", ""),
                       (r"(?m)^match from auth", "match from src 198.18.0.2")],
    # neither filter nor guard: mail goes round
    "loop": [(r' filter "mtasts"(?=\n# Domains)', ""),
             (r"(?m)^match tag MTASTS_AGAIN from any .* reject\n", "")],
    "small": [(r"\A", "smtp max-message-size 4000\n")],
    "dkim": [(r"\A", 'filter "dkim" proc-exec "filter-dkimsign '
              '-d sender.test -s sel -k /etc/dkim.key" user _dkimsign '
              'group _dkimsign\n'),
             (r"(?m)^listen on (socket|198\S+ port 25)$",
              r'\g<0> filter "dkim"')],
    # as mtasts-report(8) has it
    "signed": [(r"\A", printed('filter "dkim"').splitlines()[0] + "\n"),
               (r"(?m)^listen on socket$",
                printed('filter "dkim"').splitlines()[1])],
    "srs": [(r"\A", 'srs key "0123456789abcdef"\n'),
            (r'(?m)^action "(outbound|mtasts|mtasts-wait)" .*', r"\g<0> srs")],
    "mail-from": [(r'(?m)^action "(outbound|mtasts)" .*',
                   r'\g<0> mail-from "other@sender.test"')],
    "proxy": [(r"(?m)^listen on socket$", r"\g<0>\nlisten on 198.18.0.2 "
               r"port 2525 proxy-v2")],
    "masquerade": [(r"(?m)^listen on socket$",
                    'pki "p" cert "/etc/p.pem"\npki "p" key "/etc/p.key"\n'
                    "table creds file:/etc/creds\n"
                    'table names { joe = "joe@sender.test" }\n'
                    r"\g<0>\nlisten on 198.18.0.2 port 587 tls-require "
                    'pki "p" auth <creds> senders <names> masquerade')],
    "backup": [(r"(?m)^match for local .*", r'\g<0>\naction "backup" relay '
                'backup mx "me.s16g.test"\n'
                'match from any for domain "s16g.test" action "backup"')],
    # what this host is a backup MX of, under policies as all other mail
    "backup-sts": [(r"(?m)^match for local .*", r"\g<0>\n"
                    'table backups { "@s23.test", "@bad.s23.test", '
                    '"@none.s23.test" }\n'
                    'action "backup" relay backup mx "me.s23.test" '
                    'filter "mtasts-out"\n'
                    "match from any for domain <mtasts-wait> "
                    'rcpt-to <backups> action "mtasts-wait"\n'
                    "match from any for domain <mtasts> "
                    'rcpt-to <backups> action "mtasts"\n'
                    'match from any for any rcpt-to <backups> action "backup"')],
    # all mail goes to one host, whoever it is for
    "smarthost-all": [(r'(?m)^action "outbound" .*', 'action "outbound" '
                       'relay host "smtp+tls://smart.s22.test"'),
                      (r"(?m)^match .*<mtasts.*\n", "")],
    # one action for all: smtp:// and smtp+tls:// side by side in one table
    "sticky": [(r'(?m)^action "mtasts".*', 'table mixed { "sticky.test" = '
                '"smtp+tls://mx.sticky.test", "free.sticky.test" = '
                '"smtp://mx.free.sticky.test" }\n'
                'action "mtasts" relay domain <mixed>'),
               (r"for domain <mtasts>", "for any")],
    # design A: smtpd believes the MX records it finds
    "own-mx": [(r" domain <mtasts>(?= ca)", "")],
}
VARIANTS["dkim-twice"] = VARIANTS["dkim"] + [
    (r'(?m)^(listen on 127.* mask-src) filter "mtasts"$',
     r'filter "again" chain { "mtasts", "dkim" }\n\1 filter "again"')]
VARIANTS["srs-outbound"] = [VARIANTS["srs"][0],
                            (r'(?m)^action "outbound" .*', r"\g<0> srs")]
VARIANTS["shared"] = VARIANTS["smarthost"] + [NO_CA, NO_SRC]


def choose(name: str) -> None:
    """Which release it is to be; its folder is there."""
    global release, version, NAME, SNI
    release = name
    version = debian.version(debian.folder(release))
    if version.startswith("6."):
        NAME, SNI = "smtpd6", False


def build() -> None:
    """The files around smtpd, the syslog socket; nothing is started."""
    net.lay_over(debian.folder(release), HOME)
    key = TOP / re.search(r"-k /(\S+)", printed('filter "dkim"'))[1]
    make_key(key)
    own(key, "_dkimsign")
    _syslog()


def _syslog() -> None:
    """/dev/log of the folder: all it hears goes into one file."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    s.bind(str(TOP / "dev/log"))
    os.chmod(TOP / "dev/log", 0o666)
    LOG.write_bytes(b"")

    def listen() -> None:
        with LOG.open("ab", buffering=0) as f:
            while True:
                f.write(re.sub(rb"^<\d+>\w+ +\d+ ", b"", s.recv(65536))
                        .rstrip(b"\0\n") + b"\n")

    threading.Thread(target=listen, daemon=True).start()


def own(path: Path, user: str = USER) -> None:
    """The path becomes the mail server's, inside the folder."""
    for line in (TOP / "etc/passwd").read_text().splitlines():
        f = line.split(":")
        if f[0] == user:
            os.chown(path, int(f[2]), int(f[3]), follow_symlinks=False)


# --- the daemon --------------------------------------------------------------

def text_of(variant: str) -> str:
    name = "smtpd.conf" if SNI else "smtpd-6.8.conf"
    text = (SHIPPED / name).read_text()
    if variant == "raw":
        return text
    edits = [(r"(?m)^listen on lo\b", f"listen on {net.NEAR4} port 25"),
             (r"192\.0\.2\.25", net.NEAR4),
             (r"mtasts-reports@example\.com", recorded.SENDER)]
    for old, new in edits + VARIANTS[variant]:
        text, n = re.subn(old, new, text)
        if n == 0:
            raise net.WorldError(f"{variant}: nothing to edit: {old}")
    return text + HASTE + ("" if variant in PATIENT else QUIT)


def use(variant: str) -> None:
    """Start smtpd anew with one of the configurations."""
    stop()
    (TOP / "etc/smtpd.conf").write_text(text_of(variant))
    start()


def start() -> None:
    global _smtpd
    at = log_size()
    with (HOME / "out").open("ab") as out:
        _smtpd = subprocess.Popen([*RUN, "/usr/sbin/smtpd", "-F"], env={},
                                  cwd="/", stdin=subprocess.DEVNULL,
                                  stdout=out, stderr=out)
    try:
        net.wait_until(lambda: _smtpd.poll() is not None or _answers(), 20,
                       "smtpd")
    finally:
        if _smtpd.poll() is not None:
            raise net.WorldError("smtpd does not start: " + log_since(at) +
                                 (HOME / "out").read_text()[-1000:])
    # The end of this session must not be taken for that of the next.
    net.wait_until(lambda: " smtp disconnected " in log_since(at), 10,
                   "smtpd's log")


def _answers() -> bool:
    try:
        with socket.create_connection((net.NEAR4, 25), 5) as s:
            if s.recv(3) != b"220":
                return False
            s.sendall(b"QUIT\r\n")
            while s.recv(4096):
                continue
            return True
    except OSError:
        return False


def stop() -> None:
    """With smtpd all its children have to go, ours too."""
    global _smtpd
    if _smtpd is None:
        return
    _smtpd.terminate()
    _smtpd.wait(20)
    _smtpd = None
    net.wait_until(lambda: not net.running(*PROCESSES), 20,
                   "end of what smtpd has started")


def panics() -> str:
    return ""


def evidence() -> str:
    """What smtpd said of late, for who looks for a cause."""
    return log_since(max(_wiped, log_size() - 6000))


def trouble() -> str:
    """Why smtpd is no longer what it was; "" if all is well."""
    if _smtpd is not None and _smtpd.poll() is not None:
        return "smtpd has gone: " + log_since(max(0, log_size() - 1500))
    for name in ("table-mtasts", "filter-mtasts"):
        if _smtpd is not None and name in (TOP / "etc/smtpd.conf").read_text() \
                and not net.running(name):
            return f"no {name} any more"
    return ""


def ctl(*argv: str) -> str:
    return net.sh(*RUN, "/usr/sbin/smtpctl", *argv, check=False)


# --- state -------------------------------------------------------------------

def wipe() -> None:
    """No messages, no aliases; smtpd is down until use()."""
    global _wiped
    stop()
    _wiped = log_size()
    shutil.rmtree(SPOOL, ignore_errors=True)
    ALIASES.write_text("root: /dev/null\n")


def wipe_cache() -> None:
    while subprocess.run(["umount", "-l", str(CACHE)], check=False,
                         capture_output=True).returncode == 0:
        continue
    if CACHE.is_file():
        CACHE.unlink()
    shutil.rmtree(CACHE, ignore_errors=True)
    CACHE.mkdir(parents=True)
    own(CACHE)
    CACHE.chmod(0o750)


def queue() -> list[str]:
    """The envelopes in the queue."""
    return [x.split("|")[0].lstrip("0") for x in ctl("show", "queue").splitlines()
            if x.count("|") > 5]


def log_size() -> int:
    return LOG.stat().st_size


def log_since(at: int) -> str:
    with LOG.open("rb") as f:
        f.seek(at)
        return f.read().decode("utf-8", "replace")


# --- mail --------------------------------------------------------------------

def send(rcpts: list[str], sender: str = "s@sender.test",
         queue_only: bool = False, fields: str = "",
         timeout: float = 60) -> Sent:
    """One message, and the first attempt to deliver it."""
    at = log_size()
    if queue_only:
        ctl("pause", "mta")
    sent = Sent("", rcpts)
    start = time.monotonic()
    try:
        with smtplib.SMTP(net.NEAR4, 25, "client.test", 60) as c:
            refused = _transaction(c, sender, rcpts, fields)
            sent.output = "".join(f"{r}: {code} {text.decode()}\n" for
                                  r, (code, text) in refused.items())
    except smtplib.SMTPException as e:
        refused = getattr(e, "recipients", {})
        sent.output = str(e)
    sent.seconds = time.monotonic() - start
    _settle(at, timeout,
            attempts=not queue_only and len(refused) < len(rcpts))
    judge(sent, log_since(at))
    for r, (code, _) in refused.items():
        sent.states[r.lower()] = "told to wait" if code < 500 else "refused"
    return sent


def _transaction(c: smtplib.SMTP, sender: str, rcpts: list[str],
                 fields: str) -> dict:
    return c.sendmail(sender, rcpts, f"{fields}Subject: test\n\nhello\n")


def alias(names: dict[str, str]) -> None:
    with ALIASES.open("a") as f:
        f.writelines(f"{k}: {v}\n" for k, v in names.items())
    ctl("update", "table", "aliases")


def local(rcpts: list[str], sender: str = "s@sender.test",
          user: str = "root") -> Sent:
    """The same from a program on this host."""
    at = log_size()
    out = net.sh(*RUN, *mta.become(user), "/usr/sbin/sendmail", "-f", sender, "--", *rcpts,
                 stdin="Subject: test\n\nhello\n", check=False)
    _settle(at, 60)
    sent = Sent("", rcpts, out)
    judge(sent, log_since(at))
    return sent


def smtp(lines: list[str], timeout: float = 60) -> str:
    """One SMTP session, line by line; what smtpd answered."""
    out = []
    with socket.create_connection((net.NEAR4, 25), timeout) as s:
        f = s.makefile("rb")
        out.append(_reply(f))
        for line in lines:
            s.sendall(line.encode() + b"\r\n")
            out.append(_reply(f))
    return "".join(out)


def _reply(f) -> str:
    text = ""
    while line := f.readline().decode("utf-8", "replace"):
        text += line
        if line[3:4] != "-":
            break
    return text


def _settle(at: int, seconds: float, ids: set[str] | None = None,
            attempts: bool = True) -> None:
    """Until each envelope, of the session since then or of ids and what came in
    again of them, has had its attempt."""
    def done() -> bool:
        text = log_since(at)
        if ids is None and " smtp disconnected " not in text:
            return False
        wanted = (ids or set()) | set(
            re.findall(r" smtp envelope evpid=0*(\w+)", text))
        return not attempts or wanted <= attempted(text)

    try:
        net.wait_until(lambda: done() or trouble(), seconds, "an attempt",
                       0.05)
    except net.WorldError:
        pass  # judged by the state it has


def attempted(text: str) -> set[str]:
    return set(re.findall(r" m[td]a delivery evpid=0*(\w+)", text)
               + re.findall(NO_HOST, text))


def runq(force: bool = False, timeout: float = 60) -> None:
    """All that is queued, now; force also opens the routes held shut."""
    at = log_size()
    ctl("resume", "mta")
    if force:
        for route in re.findall(r"(?m)^\s*(\d+)\. ", ctl("show", "routes")):
            ctl("resume", "route", route)
    ids = set(queue())
    ctl("schedule", "all")
    if ids:
        _settle(at, timeout, ids)


def drain(seconds: float) -> None:
    """Until the queue is empty, with attempts in between."""
    end = time.monotonic() + seconds
    while queue() and time.monotonic() < end:
        runq(force=True, timeout=5)
        time.sleep(0.3)


# A table without a host for an envelope is an attempt of its own kind.
# Some lines write the zeros that an id begins with, and this one does not.
NO_HOST = r"Failed to retrieve smarthost for envelope 0*(\w+)"
WORDS = {"Ok": "delivered", "TempFail": "deferred", "PermFail": "bounced"}


def judge(sent: Sent, text: str) -> None:
    """What the log says of each recipient: the last word counts."""
    sent.log = text
    ids = dict(re.findall(r" smtp envelope evpid=0*(\w+) .*to=<(\S+?)>",
                          log_since(_wiped)))
    for m in re.finditer(rf" delivery evpid=\w+ .*to=<(\S+?)> rcpt=<(\S+?)> "
                         rf".*result=\"?(\w+)|{NO_HOST}", text):
        for r in {m[1], m[2], ids.get(m[4])} - {"-", None}:
            sent.states[r.lower()] = WORDS.get(m[3] or "TempFail", m[3])
    for r in sent.rcpts:
        sent.states.setdefault(r.lower(), "queued")
