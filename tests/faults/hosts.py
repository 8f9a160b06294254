# SPDX-License-Identifier: ISC
"""The two mail servers of the faults test: how mail goes in, what is in the
queue, what the log says of it.

A key is what a log line and a delivery have in common: the message with Exim,
the session with the MX host with OpenSMTPD, which may take several messages.
"""
import re
import smtplib
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import exim
import net
import opensmtpd

SENDER = "s@sender.test"
TEXT = "Subject: test\n\nhello\n"


@dataclass
class Log:
    """What a log says, as far as it matters here."""
    keys: dict[str, set[str]] = field(default_factory=dict)  # of an address
    lines: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    # Messages that went out, where each has a line of its own.
    mails: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    # Addresses whose mail was accepted when the DNS could not be asked, or may
    # have been known to be so.
    in_vain: set[str] = field(default_factory=set)
    put_off: set[tuple[str, str]] = field(default_factory=set)
    bounced: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    killed: int = 0  # said to have ended without an answer
    local: int = 0  # said to be faults of this host


class Exim:
    """No daemon: each message has a process, and so has the queue run."""
    threads = 20
    SHORT = 500  # recipients of the short form
    KICKS = 0.15  # queue runs for each fault that ends

    def __init__(self) -> None:
        self._runs: list[subprocess.Popen] = []

    def start(self) -> None:
        for d in (exim.SPOOL, exim.MAINLOG.parent):
            net.sh("mount", "-o", "remount,size=4g", str(d))
        exim.use("split")
        exim.wipe()

    def note(self, what: str) -> None:
        """The log has the whole reason; no notes are needed."""

    def submit(self, rcpts: list[str]) -> list[str]:
        p = subprocess.run(["exim4", "-i", "-odf", "-f", SENDER, "--", *rcpts],
                           input=TEXT, text=True, check=False, timeout=900,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return rcpts if p.returncode == 0 else []

    def busy(self) -> bool:
        return False  # submit() waits for the first attempt

    def kick(self, wait: bool = False) -> None:
        """Everything in the queue is tried; in the end by several runs, which
        leave each other's messages alone."""
        if not wait and any(p.poll() is None for p in self._runs):
            return
        for p in self._runs:
            p.wait()
        self._runs = [subprocess.Popen(
            ["exim4", "-qff"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL) for _ in range(4 if wait else 1)]
        for p in self._runs if wait else []:
            p.wait()

    def waiting(self) -> set[str]:
        """Recipients that have not got their message."""
        out = net.sh("exim4", "-bp", check=False)
        return set(re.findall(r"(?m)^ {10}(\S+@\S+)$", out))

    def stop(self) -> None:
        pass

    def read_log(self) -> Log:
        log = Log()
        with exim.MAINLOG.open(encoding="utf-8", errors="replace") as f:
            for line in f:
                self._take(log, line)
        for line in exim.panics().splitlines():
            log.local += 1
            log.killed += "ended without an answer" in line
            # What a fault of this host has to say; nothing else belongs here.
            if not re.search(r" mtasts: ", line):
                log.trouble.append(line)
        return log

    def _take(self, log: Log, line: str) -> None:
        if re.search(r"signal \d|Frozen|SIGSEGV|core dumped", line):
            log.trouble.append(line.strip())
        m = re.search(r" (\w{6}-\w{6,11}-\w{2,4}) (MTA-STS:|=>|->|==|\*\*) "
                      r"(\S+)(.*)", line)
        if not m:
            return
        key, mark, name = m[1], m[2], m[3].rstrip(":").lower()
        if mark == "MTA-STS:":
            log.lines[key, name] = [m[4]]
        elif mark == "**":
            log.bounced.append(line.strip())
        elif mark == "==":
            log.put_off.add((key, name.partition("@")[2]))
        else:
            log.keys.setdefault(name, set()).add(key)


class Smtpd:
    """The daemon accepts at once; what it has not tried yet is counted."""
    threads = 20  # a client is looked up in the DNS first
    SHORT = 300
    KICKS = 0.5
    PENDING = 30  # recipients not tried yet: more are not sent

    def __init__(self) -> None:
        self._at = 0
        self._lock = threading.Lock()
        self._pending: set[str] = set()
        self._failing, self._failed = 0, 0  # DNS: now; for so many wipes more
        self._fails = 0  # how often that began
        # Of a session that mail comes in by: was it failing, and _fails.
        self._began: dict[str, tuple[int, int]] = {}

    def start(self) -> None:
        opensmtpd.wipe()
        opensmtpd.use("shipped")
        self._at = opensmtpd.log_size()

    def submit(self, rcpts: list[str]) -> list[str]:
        try:
            with smtplib.SMTP(net.NEAR4, 25, "client.test", 120) as c:
                refused = c.sendmail(SENDER, rcpts, TEXT.replace("\n", "\r\n"))
        except smtplib.SMTPException:
            return []
        return [r for r in rcpts if r not in refused]

    def note(self, what: str) -> None:
        """Among the lines of smtpd: what happened in between."""
        with opensmtpd.LOG.open("ab", buffering=0) as f:
            f.write(f"faults: {what}\n".encode())

    def busy(self) -> bool:
        with self._lock:
            text = opensmtpd.log_since(self._at)
            text = text[:text.rfind("\n") + 1]
            self._at += len(text.encode())
            self._pending |= set(re.findall(
                r" smtp envelope evpid=0*(\w+)", text))
            self._pending -= opensmtpd.attempted(text)
            return len(self._pending) > self.PENDING

    def kick(self, wait: bool = False) -> None:
        opensmtpd.ctl("resume", "mta")
        for route in re.findall(r"(?m)^\s*(\d+)\. ",
                                opensmtpd.ctl("show", "routes")):
            opensmtpd.ctl("resume", "route", route)
        opensmtpd.ctl("schedule", "all")
        if wait:
            time.sleep(1)
            end = time.monotonic() + 60
            while self._in_flight() and time.monotonic() < end:
                time.sleep(0.2)

    def _in_flight(self) -> bool:
        return "|inflight|" in opensmtpd.ctl("show", "queue")

    def waiting(self) -> set[str]:
        return set(re.findall(r"\|(n\d+@[^|]+)\|",
                              opensmtpd.ctl("show", "queue")))

    def stop(self) -> None:
        opensmtpd.stop()

    def read_log(self) -> Log:
        log = Log()
        with opensmtpd.LOG.open(encoding="utf-8", errors="replace") as f:
            for line in f:
                self._take(log, line)
        if opensmtpd.trouble():
            log.trouble.append(opensmtpd.trouble())
        return log

    def _take(self, log: Log, line: str) -> None:
        if re.search(r"terminated|lost child|segfault|exited abnormally|fatal",
                     line):
            log.trouble.append(line.strip())
        log.killed += "ended without an answer" in line
        if line.startswith("faults: "):
            self._happened(line[8:].strip())
        m = re.search(r" (\w+) smtp connected ", line)
        if m:
            self._began[m[1]] = (self._failed, self._fails)
        # Told at the end of the message; its RCPT was some time before that.
        m = re.search(r" (\w+) smtp envelope evpid=\w+ .*to=<(\S+?)>", line)
        if m:
            failed, fails = self._began.get(m[1], (0, 0))
            vain = self._failed or failed or fails < self._fails
            (log.in_vain.add if vain else log.in_vain.discard)(m[2].lower())
        m = re.search(r"filter-mtasts\[\d+\]: 0*(\w+) (\S+): ((?:perhaps )?)sent "
                      r"without MTA-STS: (.*)", line)
        if m:
            log.lines.setdefault((m[1], m[2]), []).append(m[3] + m[4])
        # To the listener of what waits it goes without any filter.
        m = re.search(r"\b0*(\w+) mta delivery evpid=(\w+)\w{8} .*to=<(\S+?)> "
                      r".*relay=\"?(\S+) .*result=\"?(\w+)", line)
        if m and m[5] == "PermFail":
            log.bounced.append(line.strip())
        elif m and m[5] == "Ok" and m[4] != "127.0.0.1":
            name = m[3].lower()
            log.keys.setdefault(name, set()).add(m[1])
            log.mails.setdefault((m[1], name.partition("@")[2]),
                                 set()).add(m[2])

    def _happened(self, what: str) -> None:
        self._failing += {"dns fails": 1, "dns works": -1}.get(what, 0)
        self._fails += what == "dns fails"
        # A look that failed may be stored behind the wipe.
        if self._failing:
            self._failed = 2
        elif what == "cache wiped" and self._failed:
            self._failed -= 1


def make(name: str) -> Exim | Smtpd:
    return Exim() if name == "exim" else Smtpd()
