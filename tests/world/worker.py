# SPDX-License-Identifier: ISC
"""A worker, spoken to as an adapter does (common/query/worker_protocol.h)."""
import subprocess
from typing import NamedTuple

VERSION = b"mtasts-worker1\n"


class Answer(NamedTuple):
    domain: str
    use: str
    sentence: str
    entry: str

    def field(self, name: str) -> str:
        """A line of the entry's head, in the form of a file."""
        for line in self.entry.split("\n\n")[0].splitlines():
            if line.startswith(name + " "):
                return line[len(name) + 1:]
        return ""

    @property
    def mode(self) -> str:
        """Of the policy, as it was published."""
        for line in self.entry.split("\n\n", 1)[-1].splitlines():
            if line.startswith("mode:"):
                return line[5:].strip()
        return ""


class Worker:
    """It runs until finish()."""

    def __init__(self, *argv: str, **more) -> None:
        self.p = subprocess.Popen(argv, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, **more)
        self.send(VERSION)
        self.greeted = False

    def send(self, data: bytes) -> None:
        self.p.stdin.write(data)
        self.p.stdin.flush()

    def ask(self, *wishes: str, word: str = "ask") -> None:
        """Each: DOMAIN, and what more is wanted of it."""
        self.send("".join(f"{word} {w}\n" for w in wishes).encode())

    def line(self) -> bytes:
        """The next, as it comes; b"" at the end."""
        if not self.greeted:
            self.greeted = True
            if (got := self.p.stdout.readline()) != VERSION:
                return got
        return self.p.stdout.readline()

    def answer(self) -> Answer | None:
        """None: there is no more."""
        line = self.line().decode().rstrip("\n")
        if not line:
            return None
        word, domain, use, length, sentence = line.split(" ", 4)
        assert word == "done", line
        return Answer(domain, use, sentence,
                      self.p.stdout.read(int(length)).decode("latin-1"))

    def finish(self, timeout: float = 20) -> int:
        """No more questions; the exit status."""
        self.p.stdin.close()
        return self.p.wait(timeout)
