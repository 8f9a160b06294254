# SPDX-License-Identifier: ISC
"""Nameservers that misbehave, one address for each way to do so.

Runs on the far side.  Works as a resolver (a query is passed on to the good
one where the misbehaviour wants an answer) and as a delegated authority.
Every query is noted in the log: address, protocol, name, type.
"""
import json
import socket
import struct
import sys
import threading
import time

GOOD = "198.18.0.53"
SILENT_BASE = "198.18.53."
A, TXT, AAAA = 1, 16, 28
# name: (last byte of the address, UDP does, TCP does)
KINDS = {
    "silent": (10, "drop", "stall"),
    "servfail": (11, "rcode2", "rcode2"),
    "refused": (12, "rcode5", "rcode5"),
    "tc": (13, "truncate", "pass"),
    "tc-no-tcp": (14, "truncate", None),
    "no-tcp": (15, "pass", None),
    "slow": (16, "late", "late"),
    "wrong-question": (17, "question", "question"),
    "wrong-id": (18, "id", "id"),
    "formerr": (19, "rcode1", "rcode1"),
    "garbage": (20, "garbage", "garbage"),
    "no-udp": (21, "drop", "pass"),
    "lossy": (22, "lossy", "pass"),
    "tcp-stalls": (23, "pass", "stall"),
    "empty": (24, "empty", "empty"),
    "good": (25, "pass", "pass"),
    "tcp-closes": (26, "pass", "close"),
    "dead-udp": (27, None, None),
    "forged": (28, "forge", "drop"),
    "badvers": (29, "badvers", "badvers"),
    "txt-only": (30, "txt-only", "txt-only"),
    "addr-late": (31, "addr-late", "addr-late"),  # for a second, no addresses
}


def address(kind: str) -> str:
    return SILENT_BASE + str(KINDS[kind][0])


def question(msg: bytes) -> tuple[str, int, int]:
    """Name, type and the offset behind the question."""
    labels, at = [], 12
    while at < len(msg) and msg[at]:
        labels.append(msg[at + 1:at + 1 + msg[at]].decode("latin-1"))
        at += 1 + msg[at]
    qtype = struct.unpack_from("!H", msg, at + 1)[0]
    return ".".join(labels).lower(), qtype, at + 5


def header_only(msg: bytes, rcode: int, tc: bool = False) -> bytes:
    end = question(msg)[2]
    flags = 0x8180 | rcode | (0x0200 if tc else 0)
    return msg[:2] + struct.pack("!HHHHH", flags, 1, 0, 0, 0) + msg[12:end]


def badvers(msg: bytes) -> bytes:
    """RFC 6891 6.1.3: the upper bits of rcode 16 are in an OPT record."""
    opt = b"\0" + struct.pack("!HHIH", 41, 1232, 1 << 24, 0)
    return msg[:10] + b"\0\1" + msg[12:] + opt


def ask_good(msg: bytes, tcp: bool) -> bytes | None:
    kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as s:
        s.settimeout(20)
        s.connect((GOOD, 53))
        try:
            if tcp:
                s.sendall(struct.pack("!H", len(msg)) + msg)
                return read_tcp(s)
            s.send(msg)
            return s.recv(65535)
        except OSError:
            return None


def read_tcp(s: socket.socket) -> bytes | None:
    head = s.recv(2, socket.MSG_WAITALL)
    if len(head) < 2:
        return None
    return s.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)


_seen: dict[bytes, int] = {}
_first: dict[str, float] = {}  # when a name was asked for


def reply(act: str, msg: bytes, tcp: bool) -> bytes | None:
    """The bytes to answer; None: say nothing."""
    if act == "drop":
        return None
    if act.startswith("rcode"):
        return header_only(msg, int(act[5:]))
    if act == "truncate":
        return header_only(msg, 0, tc=True)
    if act == "empty":
        return header_only(msg, 0)
    if act == "badvers":
        return badvers(header_only(msg, 0))
    if act == "garbage":
        return msg[:2] + b"\xff" * 40
    if act == "question":
        other = bytearray(header_only(msg, 0))
        other[13] ^= 1  # first letter of the first label
        return bytes(other)
    if act == "txt-only" and question(msg)[1] != TXT:
        return None
    if act == "addr-late" and question(msg)[1] in (A, AAAA) and \
            time.monotonic() < _first.setdefault(
                question(msg)[0], time.monotonic()) + 1:
        return None
    if act == "late":
        time.sleep(2)
    if act == "lossy":
        key = msg[12:]
        _seen[key] = _seen.get(key, 0) + 1
        if _seen[key] % 2:
            return None
    out = ask_good(msg, tcp)
    if act == "id" and out:
        out = bytes([out[0] ^ 0xff]) + out[1:]
    return out


class Server:
    def __init__(self, kind: str, log) -> None:
        last, self.udp, self.tcp = KINDS[kind]
        self.kind, self.log = kind, log
        self.addr = SILENT_BASE + str(last)

    def note(self, msg: bytes, proto: str, act: str) -> None:
        try:
            name, qtype, _ = question(msg)
        except (IndexError, struct.error):
            name, qtype = "?", 0
        self.log.write(json.dumps(
            {"t": time.time(), "at": self.kind, "proto": proto, "name": name,
             "type": qtype,
             "passed": act in ("pass", "late", "lossy", "id")}) + "\n")

    def start(self) -> None:
        if self.udp:
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((self.addr, 53))
            spawn(self.serve_udp, s)
        if self.tcp:
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((self.addr, 53))
            s.listen(64)
            spawn(self.serve_tcp, s)

    def serve_udp(self, s: socket.socket) -> None:
        while True:
            msg, peer = s.recvfrom(65535)
            self.note(msg, "udp", self.udp)
            spawn(self.answer_udp, s, msg, peer)

    def answer_udp(self, s: socket.socket, msg: bytes, peer) -> None:
        out = reply(self.udp, msg, False)
        if out and self.udp == "forge":
            # right in every byte, but from somebody else's socket
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.bind((self.addr, 0))
                other.sendto(out, peer)
        elif out:
            s.sendto(out, peer)

    def serve_tcp(self, s: socket.socket) -> None:
        while True:
            c, _ = s.accept()
            spawn(self.one_tcp, c)

    def one_tcp(self, c: socket.socket) -> None:
        with c:
            c.settimeout(60)
            try:
                while (msg := read_tcp(c)) is not None:
                    self.note(msg, "tcp", self.tcp)
                    if self.tcp == "close":
                        return
                    if self.tcp == "stall":
                        continue
                    out = reply(self.tcp, msg, True)
                    if out:
                        c.sendall(struct.pack("!H", len(out)) + out)
            except OSError:
                return


def spawn(fn, *args) -> None:
    threading.Thread(target=fn, args=args, daemon=True).start()


def main() -> None:
    with open(sys.argv[1], "a", buffering=1, encoding="utf-8") as log:
        for kind in KINDS:
            Server(kind, log).start()
        log.write("{}\n")
        threading.Event().wait()


if __name__ == "__main__":
    main()
