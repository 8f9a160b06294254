#!/usr/bin/python3 -B
# SPDX-License-Identifier: ISC
"""The network edges against real servers: what each kind of trouble is told as.

  netprobe.py [--build DIR] [WORD...]     all rows, or those whose name has a word

Runs netprobe in the private world of tests/world, in both TLS flavours.  One
line of verdict per row, and at the end "N passed, N failed".  Status 0: all
passed; 1: some failed; 2: the world could not be built.
"""
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "world"))

import ca
import dns
import dnsd
import httpsd
import https
import net
import rows
import smtp

FLAVOURS = ("openssl", "gnutls")
BODY = "version: STSv1\nmode: none\nmax_age: 86400\n"
AUTH = dns.AUTH  # knot itself: does not recurse
GOOD = dnsd.address("good")
BLACKHOLE = "198.18.66.1"
CLOSED = "198.18.53.250"  # nobody listens
NO_IF = "fe80::1%wlan9"
NO_IF_SAID = ("REMARK nameserver fe80::1%wlan9: no such interface on this host, "
              "not asked\n")
LO = socket.if_nametoindex("lo")

# --- Servers on this side, where they are on loopback -----------------------

NEAR = {  # name: (address, UDP does, TCP does), as in dnsd.KINDS
    "near-good": ("127.0.0.10", "pass", "pass"),
    "near-lossy": ("127.0.0.11", "lossy", "pass"),
    "near-silent": ("127.0.0.12", "drop", "stall"),
    "near-udp-lost": ("127.0.0.13", "drop", "pass"),
    "near-tc": ("127.0.0.14", "truncate", "pass"),
    "near-tc-no-tcp": ("127.0.0.15", "truncate", None),
    "near-no-edns": ("127.0.0.16", "no-edns", "no-edns"),
    "near-notimp": ("127.0.0.17", "rcode4", "rcode4"),
    "near-referral": ("127.0.0.18", "referral", "referral"),
    "near-refused": ("127.0.0.19", "rcode5", "rcode5"),
    "near-nx-records": ("127.0.0.20", "nx-records", "nx-records"),
    "near-other-type": ("127.0.0.21", "other-type", "other-type"),
    "near-promises": ("127.0.0.29", "promises", "promises"),
    "near-badvers-nx": ("127.0.0.31", "badvers-nx", "badvers-nx"),
    "near-badvers-found": ("127.0.0.32", "badvers-found", "badvers-found"),
    "near-badvers-once": ("127.0.0.33", "badvers-once", "badvers-once"),
    "near-cut-opt": ("127.0.0.34", "cut-opt", "cut-opt"),
    "near-no-aaaa": ("127.0.0.22", "no-aaaa", "no-aaaa"),
    "near-a-servfail": ("127.0.0.23", "a-servfail", "a-servfail"),
    "near-closes": ("127.0.0.24", "drop", "close"),
}
NEAR_CLOSED = "127.0.0.99"
DOT, DOT_NAME = "127.0.0.40", "dot.test"
HTTPS_NEAR = "127.0.0.50"
HTTP_PLAIN = "127.0.0.51"
HANGS_UP, RESETS, PLAIN_RESETS = "127.0.0.52", "127.0.0.53", "127.0.0.54"
_plain_reply = dnsd.reply


def near_reply(act: str, msg: bytes, tcp: bool) -> bytes | None:
    if act == "no-edns":
        if struct.unpack_from("!H", msg, 10)[0] > 0:
            return dnsd.header_only(msg, 1)
        return dnsd.ask_good(msg, tcp)
    if act == "badvers-once":
        if struct.unpack_from("!H", msg, 10)[0] == 0:
            return dnsd.ask_good(msg, tcp)
        return dnsd.badvers(dnsd.header_only(msg, 0))
    if act == "badvers-nx":
        return dnsd.badvers(dnsd.header_only(msg, 3))
    if act == "badvers-found":
        plain = msg[:10] + b"\0\0" + msg[12:dnsd.question(msg)[2]]
        return dnsd.badvers(dnsd.ask_good(plain, tcp) or b"")
    if act == "cut-opt":
        return dnsd.badvers(dnsd.header_only(msg, 0))[:-11]
    if act == "referral":
        out = bytearray(dnsd.header_only(msg, 0))
        out[3] &= 0x7f  # no recursion available
        return bytes(out)
    if act == "nx-records":
        out = bytearray(dnsd.ask_good(msg, tcp) or b"")
        out[3] = out[3] & 0xf0 | 3
        return bytes(out)
    if act == "promises":
        out = bytearray(dnsd.header_only(msg, 0))
        out[7] = 1  # one answer, it says
        return bytes(out)
    if act == "other-type":
        out = bytearray(dnsd.ask_good(msg, tcp) or b"")
        end = dnsd.question(msg)[2]
        out[end - 3] ^= 1
        return bytes(out)
    if act == "no-aaaa" and dnsd.question(msg)[1] == 28:
        return None
    if act == "a-servfail" and dnsd.question(msg)[1] == 1:
        return dnsd.header_only(msg, 2)
    if act in ("no-aaaa", "a-servfail"):
        return dnsd.ask_good(msg, tcp)
    return _plain_reply(act, msg, tcp)


class NearServer(dnsd.Server):
    def __init__(self, kind: str) -> None:
        self.addr, self.udp, self.tcp = NEAR[kind]
        self.kind, self.log = kind, open(os.devnull, "w", encoding="utf-8")


def tls_context(*names: str) -> ssl.SSLContext:
    stem = str(ca.DIR / ca.cert(list(names)))
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(stem + ".pem", stem + ".key")
    return ctx


def serve(addr: str, port: int, fn) -> None:
    """Call fn(socket) for each connection, in a thread of its own."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((addr, port))
    s.listen(64)

    def one(c: socket.socket) -> None:
        with c:
            try:
                fn(c)
            except OSError:
                pass

    def loop() -> None:
        while True:
            dnsd.spawn(one, s.accept()[0])
    dnsd.spawn(loop)


def dot(c: socket.socket, ctx: ssl.SSLContext) -> None:
    with ctx.wrap_socket(c, server_side=True) as s:
        while len(head := s.read(2)) == 2:
            msg = s.read(struct.unpack("!H", head)[0])
            out = dnsd.ask_good(msg, True) or b""
            s.sendall(struct.pack("!H", len(out)) + out)


def reset(c: socket.socket) -> None:
    c.recv(1)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


# --- Web servers that tests/world does not have -----------------------------

def long_line(s, _body):
    s.sendall(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 300000 + b"\r\n\r\n")


def slow_404(s, _body):
    s.sendall(httpsd.head(10000, status="404 Not Found"))
    time.sleep(20)


def trailers(s, body):
    s.sendall(httpsd.head(None, "Transfer-Encoding: chunked")
              + httpsd.chunk(body)
              + b"0\r\nContent-Type: text/html\r\n\r\n")


def hints_type(s, body):
    """What a 103 says of a type is not the final reply's."""
    s.sendall(b"HTTP/1.1 103 Early Hints\r\nContent-Type: text/html\r\n"
              b"Content-Length: 5\r\n\r\n" + httpsd.head(len(body)) + body)


def hints_length(s, body):
    """... nor is its length."""
    s.sendall(b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n"
              + httpsd.head(None, "Connection: close") + body)
    s.unwrap()


def no_type(s, body):
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
              + body)


def ten_mb(s, _body):
    s.sendall(httpsd.head(10 << 20))
    for _ in range(160):
        s.sendall(b"x" * 65536)


def exactly(n: int, length: bool):
    def fn(s, _body):
        if length:
            s.sendall(httpsd.head(n) + b"x" * n)
        else:
            s.sendall(httpsd.head(None, "Transfer-Encoding: chunked")
                      + httpsd.chunk(b"x" * n) + b"0\r\n\r\n")
    return fn


def one_byte_a_second(s, body):
    s.sendall(httpsd.head(len(body)))
    for b in body:
        s.sendall(bytes([b]))
        time.sleep(1)



NEAR_WEB = {
    "long-line": long_line, "slow-404": slow_404, "trailers": trailers,
    "hints-type": hints_type, "hints-length": hints_length,
    "no-type": no_type, "ten-mb": ten_mb, "second": one_byte_a_second,
    "full": exactly(65536, True), "full-chunk": exactly(65536, False),
    "over": exactly(65537, True), "over-chunk": exactly(65537, False),
}


def near_web(c: socket.socket, ctx: ssl.SSLContext) -> None:
    with ctx.wrap_socket(c, server_side=True) as s:
        req = httpsd.read_head(s)
        name = req.get("host", "").split(".")[1]
        NEAR_WEB[name](s, BODY.encode())


def plain_http(c: socket.socket) -> None:
    c.sendall(httpsd.head(len(BODY)) + BODY.encode())
    time.sleep(0.2)


def plain_reset(c: socket.socket) -> None:
    c.sendall(httpsd.head(0))  # what is left unread resets the connection


# --- Rows -------------------------------------------------------------------

class Probe:
    """What to ask, what to be told, and in how many milliseconds."""

    def __init__(self, name: str, args: str, want: str, most: float = 3000,
                 env: dict | None = None) -> None:
        self.name, self.args, self.want, self.most = name, args, want, most
        self.env = env or {}


BIG = [f"v=big{i:02d};" + "x" * 205 for i in range(60)]
ZONE = {
    "_mta-sts.one.test": [dns.txt("v=STSv1; id=1;")],
    "_mta-sts.three.test": [dns.txt(t) for t in ("a", "b", "c")],
    "_mta-sts.split.test": ['TXT "v=STSv1; " "id=" "12;"'],
    "_mta-sts.empty.test": ['TXT ""'],
    "_mta-sts.nul.test": ['TXT "v=STSv1\\000; id=1;"'],
    "_mta-sts.big.test": [dns.txt(t) for t in BIG],
    "_mta-sts.long.test": [dns.txt("y" * 30000)],
    "*.wild.test": [dns.txt("v=STSv1; id=w;")],
    "nodata.test": ["A 192.0.2.1"],
    "c1.test": ["CNAME c2.test."], "c2.test": ["CNAME c3.test."],
    "c3.test": ["CNAME _mta-sts.one.test."],
    "cnx.test": ["CNAME nowhere.test."],
    "cnodata.test": ["CNAME nodata.test."],
    "loop1.test": ["CNAME loop2.test."], "loop2.test": ["CNAME loop1.test."],
    "away.test": ["CNAME elsewhere.invalid."],
    "dual.test": ["30 A 192.0.2.1", "30 A 192.0.2.2",
                  "20 AAAA 2001:db8::1"],
    "v6.test": ["AAAA 2001:db8::1"],
    "mx.test": ["MX 10 MX1.test.", "MX 20 mx2.test."],
    "_25._tcp.mx1.test": ["TLSA 3 1 1 " + "ab" * 32,
                          "TLSA 255 10 0 00ff"],
    "_25._tcp.large.test": [f"TLSA 3 0 0 {n:04x}" + "5a" * 2000
                            for n in range(10)],
    "nullmx.test": ["MX 0 ."],
    "badmx.test": ['MX 10 a\\.b.test.'],
    "halfmx.test": ['MX 10 a\\032b.test.', "MX 20 good.test."],
    "ttl.test": ["7 CNAME ttl2.test."], "ttl2.test": ["9 TXT x"],
}
for _i in range(12):
    ZONE[f"d{_i}.test"] = [f"CNAME d{_i + 1}.test."]
ZONE["d12.test"] = ["TXT end"]


def s(*servers: str) -> str:
    return " ".join("-s " + (dnsd.address(x) if x in dnsd.KINDS
                             else NEAR[x][0] if x in NEAR else x)
                    for x in servers)


ONE = r'FOUND ok ttl=\d+ n=1 "v=STSv1; id=1;"'
DNS_ROWS = [
    # What there is.
    Probe("found", f"{s('good')} dns txt _mta-sts.one.test", ONE, 500),
    Probe("found, resolv.conf", "dns txt _mta-sts.one.test", ONE, 500),
    Probe("found, case of the question", f"{s('good')} dns txt _MTA-sts.ONE.test",
        ONE, 500),
    Probe("found by UDP", f"{s('good')} -T udp dns txt _mta-sts.one.test", ONE,
        500),
    Probe("found on loopback", f"{s('near-good')} dns txt _mta-sts.one.test", ONE,
        500),
    Probe("several records", f"{s('good')} dns txt _mta-sts.three.test",
        r'FOUND ok ttl=\d+ n=3 ("[abc]" ?){3}'),
    Probe("split strings", f"{s('good')} dns txt _mta-sts.split.test",
        r'FOUND ok ttl=\d+ n=1 "v=STSv1; id=12;"'),
    Probe("empty string", f"{s('good')} dns txt _mta-sts.empty.test",
        r'FOUND ok ttl=\d+ n=1 ""'),
    Probe("NUL byte kept", f"{s('good')} dns txt _mta-sts.nul.test",
        r'FOUND ok ttl=\d+ n=1 "v=STSv1\\x00; id=1;"'),
    Probe("12.9 KB, UDP first", f"{s('good')} -T udp dns txt _mta-sts.big.test",
        r"FOUND ok ttl=\d+ n=60( len=213/\w+){60}"),
    Probe("12.9 KB, TCP", f"{s('good')} -T tcp dns txt _mta-sts.big.test",
        r"FOUND ok ttl=\d+ n=60( len=213/\w+){60}"),
    Probe("30 KB in one record", f"{s('good')} dns txt _mta-sts.long.test",
        r"FOUND ok ttl=\d+ n=1 len=30000/"),
    Probe("wildcard", f"{s('good')} dns txt _mta-sts.wild.test",
        r'FOUND ok ttl=\d+ n=1 "v=STSv1; id=w;"'),
    Probe("CNAME chain", f"{s('good')} dns txt c1.test", ONE),
    Probe("CNAME chain, least TTL", f"{s(AUTH)} dns txt ttl.test",
        r'FOUND ok ttl=7 n=1 "x"'),
    Probe("both families", f"{s(AUTH)} dns addr dual.test",
        r"FOUND ok ttl=20 n=3 192.0.2.\d 192.0.2.\d 2001:db8::1 "),
    Probe("one family", f"{s('good')} dns addr v6.test",
        r"FOUND ok ttl=\d+ n=1 2001:db8::1 ", 500),
    Probe("one family fails", f"{s('near-a-servfail')} dns addr v6.test",
        r"FOUND ok ttl=\d+ n=1 2001:db8::1 ", 1000),
    Probe("one family silent", f"{s('near-no-aaaa')} dns addr dual.test",
        r"FOUND ok ttl=\d+ n=2 192", 1000),
    Probe("MX", f"{s('good')} dns mx mx.test",
        r"FOUND ok ttl=\d+ n=2 ((10:mx1|20:mx2).test ){2}"),
    Probe("null MX", f"{s('good')} dns mx nullmx.test",
        r"FOUND ok ttl=\d+ n=1 0: "),
    Probe("MX with a dot inside a label", f"{s('good')} dns mx badmx.test",
        "TEMPFAIL malformed"),
    Probe("bad MX among good", f"{s('good')} dns mx halfmx.test",
        r"FOUND ok ttl=\d+ n=1 20:good.test "),
    Probe("TLSA", f"{s('good')} dns tlsa _25._tcp.mx1.test",
        r'FOUND ok ttl=\d+ n=2 (("255 10 0 00FF"|len=70/[0-9a-f]{8}) ){2}'),
    Probe("TLSA, 20 KB of it", f"{s('good')} dns tlsa _25._tcp.large.test",
        r"FOUND ok ttl=\d+ n=10 (len=4010/[0-9a-f]{8} ){10}"),
    # That there is none.
    Probe("NODATA", f"{s('good')} dns txt nodata.test", "NONE nodata", 500),
    Probe("NODATA, TTL of the SOA", f"{s(AUTH)} dns txt nodata.test",
        "NONE nodata ttl=60"),
    Probe("NXDOMAIN", f"{s('good')} dns txt nowhere.test", "NONE nxdomain", 500),
    Probe("NXDOMAIN, TTL of the SOA", f"{s(AUTH)} dns txt nowhere.test",
        "NONE nxdomain ttl=60"),
    Probe("CNAME to nowhere", f"{s('good')} dns txt cnx.test", "NONE nxdomain"),
    Probe("CNAME to NODATA", f"{s('good')} dns txt cnodata.test", "NONE nodata"),
    Probe("no address", f"{s('good')} dns addr _mta-sts.one.test",
        "NONE nodata"),
    Probe("no name, two families", f"{s('good')} dns addr nowhere.test",
        "NONE nxdomain"),
    Probe("an empty answer of a resolver", f"{s('empty')} dns txt one.test",
        "NONE nodata ttl=0"),
    # That nobody can tell.
    Probe("no address, one family fails",
        f"{s('near-a-servfail')} dns addr _mta-sts.one.test",
        "TEMPFAIL servfail"),
    Probe("CNAME loop", f"{s('good')} dns txt loop1.test", "TEMPFAIL servfail"),
    Probe("CNAME loop in the answer", f"{s(AUTH)} dns txt loop1.test",
        "TEMPFAIL malformed"),
    Probe("12 CNAMEs", f"{s('good')} dns txt d0.test",
        "TEMPFAIL (malformed|servfail)"),
    Probe("9 CNAMEs", f"{s('good')} dns txt d3.test",
        r'FOUND ok ttl=\d+ n=1 "end"'),
    Probe("CNAME that leads away from an authority",
        f"{s(AUTH)} dns txt away.test", "TEMPFAIL malformed"),
    Probe("referral", f"{s('near-referral')} dns txt one.test",
        "TEMPFAIL malformed"),
    Probe("SERVFAIL", f"{s('servfail')} dns txt one.test", "TEMPFAIL servfail",
        1000),
    Probe("REFUSED", f"{s('refused')} dns txt one.test", "TEMPFAIL refused",
        1000),
    Probe("FORMERR", f"{s('formerr')} dns txt one.test", "TEMPFAIL rcode", 1000),
    Probe("NOTIMP", f"{s('near-notimp')} dns txt one.test", "TEMPFAIL rcode",
        1000),
    # RFC 6891 6.1.3: an rcode has 12 bits where there is an OPT record.
    Probe("BADVERS", f"{s('badvers')} dns txt one.test", "TEMPFAIL rcode",
        1000),
    Probe("the header's part of the rcode is 3",
        f"{s('near-badvers-nx')} dns txt one.test", "TEMPFAIL rcode", 1000),
    Probe("BADVERS beside an answer",
        f"{s('near-badvers-found')} dns txt _mta-sts.one.test",
        "TEMPFAIL rcode", 1000),
    Probe("BADVERS to EDNS alone",
        f"{s('near-badvers-once')} dns txt _mta-sts.one.test", ONE, 500),
    Probe("BADVERS from the first of two",
        f"{s('badvers', 'good')} dns txt _mta-sts.one.test", ONE,
        500),
    Probe("an OPT record that is promised alone",
        f"{s('near-cut-opt')} -t 1000 dns txt one.test",
        "TEMPFAIL ", 1300),
    Probe("FORMERR to EDNS alone",
        f"{s('near-no-edns')} dns txt _mta-sts.one.test", ONE, 500),
    Probe("FORMERR to EDNS alone, TCP",
        f"{s('near-no-edns')} -T tcp dns txt _mta-sts.one.test", ONE, 500),
    Probe("NXDOMAIN with records",
        f"{s('near-nx-records')} -t 1000 dns txt _mta-sts.one.test",
        "TEMPFAIL malformed"),
    Probe("answer to another name", f"{s('wrong-question')} dns txt one.test",
        "TEMPFAIL malformed"),
    Probe("answer to another type",
        f"{s('near-other-type')} dns txt _mta-sts.one.test",
        "TEMPFAIL malformed"),
    Probe("wrong id", f"{s('wrong-id')} -T udp -t 1000 dns txt one.test",
        "TEMPFAIL (timeout|network)"),
    Probe("fewer records than the header says",
        f"{s('near-promises')} -t 1000 dns txt _mta-sts.one.test",
        "TEMPFAIL "),
    Probe("an answer from another port",
        f"{s('forged')} -T udp -t 1000 dns txt _mta-sts.one.test",
        "TEMPFAIL timeout"),
    Probe("garbage", f"{s('garbage')} -t 1000 dns txt one.test", "TEMPFAIL "),
    Probe("silent, 1 s", f"{s('silent')} -t 1000 dns txt one.test",
        "TEMPFAIL timeout", 1300),
    Probe("silent on loopback, 1 s", f"{s('near-silent')} -t 1000 dns txt x.test",
        "TEMPFAIL timeout", 1300),
    Probe("no route back, 1 s", f"{s(BLACKHOLE)} -t 1000 dns txt one.test",
        "TEMPFAIL timeout", 1300),
    Probe("two silent ones, 1 s",
        f"{s('silent', BLACKHOLE)} -t 1000 dns txt one.test",
        "TEMPFAIL timeout", 1300),
    Probe("closed port, TCP", f"{s(CLOSED)} -T tcp dns txt one.test",
        "TEMPFAIL network", 500),
    Probe("closed port on loopback, 1 s",
        f"{s(NEAR_CLOSED)} -t 1000 dns txt one.test", "TEMPFAIL network",
        1300),
    Probe("TCP closed after the question",
        f"{s('near-closes')} -T tcp -t 1000 dns txt one.test",
        "TEMPFAIL (network|timeout)", 1300),
    Probe("TC without TCP", f"{s('tc-no-tcp')} -T udp -t 1500 dns txt one.test",
        "TEMPFAIL truncated", 1800),
    Probe("TC without TCP on loopback",
        f"{s('near-tc-no-tcp')} -t 1500 dns txt one.test",
        "TEMPFAIL truncated", 1800),
    Probe("not a name", f"{s('good')} dns txt a..b", "TEMPFAIL name", 100),
    Probe("UTF-8", f"{s('good')} dns txt b\u00fccher.test", "TEMPFAIL name", 100),
    Probe("label of 64", f"{s('good')} dns txt {'a' * 64}.test",
        "TEMPFAIL name", 100),
    # And all the same it works.
    Probe("TC with TCP", f"{s('tc')} -T udp dns txt _mta-sts.one.test", ONE, 500),
    Probe("TC with TCP on loopback", f"{s('near-tc')} dns txt _mta-sts.one.test",
        ONE, 500),
    Probe("TCP refused, UDP", f"{s('no-tcp')} dns txt _mta-sts.one.test", ONE,
        500),
    Probe("TCP stalls, UDP", f"{s('tcp-stalls')} dns txt _mta-sts.one.test", ONE),
    Probe("TCP closes, UDP", f"{s('tcp-closes')} dns txt _mta-sts.one.test", ONE,
        1000),
    Probe("UDP lost, TCP on loopback",
        f"{s('near-udp-lost')} dns txt _mta-sts.one.test", ONE, 3500),
    Probe("first packet lost", f"{s('lossy')} -T udp dns txt {{flavour}}.wild.test",
        "FOUND ok"),
    Probe("first packet lost on loopback",
        f"{s('near-lossy')} dns txt {{flavour}}.wild.test", "FOUND ok"),
    Probe("dead first of two", f"{s(BLACKHOLE, 'good')} dns txt _mta-sts.one.test",
        ONE),
    Probe("dead first of two, remembered",
        f"{s(BLACKHOLE, 'good')} -n 20 dns txt _mta-sts.one.test",
        f"(?s)^({ONE}[^\n]*\n){{20}}$", 3000),
    Probe("closed first of two",
        f"{s(CLOSED, 'good')} dns txt _mta-sts.one.test", ONE),
    Probe("closed first of two, TCP",
        f"{s(CLOSED, 'good')} -T tcp dns txt _mta-sts.one.test", ONE, 500),
    Probe("SERVFAIL from the first of two",
        f"{s('servfail', 'good')} dns txt _mta-sts.one.test", ONE, 500),
    Probe("REFUSED from the first of two",
        f"{s('near-refused', 'near-good')} dns txt _mta-sts.one.test", ONE,
        500),
    Probe("another question from the first of two",
        f"{s('wrong-question', 'good')} dns txt _mta-sts.one.test", ONE, 500),
    # RFC 4007 11: a nameserver whose interface is not there.
    Probe("no such interface before a good one",
        f"{s(NO_IF, 'good')} dns txt _mta-sts.one.test", NO_IF_SAID + ONE, 500),
    Probe("no such interface after a good one",
        f"{s('good', NO_IF)} dns txt _mta-sts.one.test", NO_IF_SAID + ONE, 500),
    Probe("no such interface after SERVFAIL",
        f"{s('servfail', NO_IF)} dns txt one.test",
        NO_IF_SAID + "TEMPFAIL servfail", 1000),
    Probe("no such interface, told once",
        f"{s(NO_IF, 'good')} -n 3 dns txt _mta-sts.one.test",
        f"(?s)^{NO_IF_SAID}({ONE}[^\n]*\n){{3}}$", 1000),
    Probe("no such interface, nor any other server",
        f"{s(NO_IF)} -n 2 dns txt one.test",
        f"(?s)^{NO_IF_SAID}(TEMPFAIL local[^\n]*\n){{2}}$", 100),
    Probe("interface of no such number",
        f"{s('fe80::1%4000000', 'good')} dns txt _mta-sts.one.test",
        "REMARK nameserver fe80::1%4000000: .*\n" + ONE, 500),
    Probe("interface by its name",
        f"{s('fe80::53%lo')} -T udp dns txt _mta-sts.one.test", ONE, 500),
    Probe("interface by its number",
        f"{s(f'fe80::53%{LO}')} -T udp dns txt _mta-sts.one.test", ONE, 500),
    Probe("slow resolver", f"{s('slow')} dns txt _mta-sts.one.test", ONE, 5000),
    # 64 at a time, 2 s each: the last wait longer than they may take.
    Probe("200 at once, slow resolver", f"{s('slow')} -T udp -t 3000 -n 200 "
        "-j 200 dns txt _mta-sts.one.test",
        f"(?s)^({ONE}[^\n]*\n){{200}}$", 10000),
    Probe("300 at once", f"{s('good')} -n 300 -j 300 dns txt _mta-sts.one.test",
        f"(?s)^({ONE}[^\n]*\n){{300}}$"),
    Probe("300 at once, silent, 1 s",
        f"{s('silent')} -t 1000 -n 300 -j 300 dns txt one.test",
        r"(?s)^(TEMPFAIL timeout[^\n]*\n){300}$", 1300),
    # DNS over TLS.
    Probe("DoT", f"-s {DOT}#{DOT_NAME} dns txt _mta-sts.one.test", ONE, 500),
    Probe("DoT, 20 questions",
        f"-s {DOT}#{DOT_NAME} -n 20 -j 5 dns txt _mta-sts.one.test",
        f"(?s)^({ONE}[^\n]*\n){{20}}$", 1000),
    Probe("DoT to another name",
        f"-s {DOT}#other.test -t 1000 dns txt _mta-sts.one.test",
        "TEMPFAIL (network|timeout)", 1300),
    Probe("DoT never falls back", f"-s 127.0.0.10@853#{DOT_NAME} -t 1000 "
        "dns txt _mta-sts.one.test", "TEMPFAIL (network|timeout)", 1300),
    # Is there a resolver at all?
    Probe("probe", f"{s('good')} probe", r"(FOUND ok|NONE) ", 500),
    Probe("probe, silent", f"{s('silent')} -t 1000 probe", "TEMPFAIL timeout",
        1300),
]

FINE = (f"COMPLETE OK status=200 delimited=1 len={len(BODY)} "
        'type="text/plain" ')


def at(*places: str) -> str:
    """Addresses of named places; "script6" is its IPv6 one."""
    return " ".join(https.address(p[:-1], True) if p.endswith("6") else
                    https.address(p) for p in places)


def script(domain: str) -> str:
    return f"get mta-sts.{domain}.test {at('script')}"


def near(name: str) -> str:
    return f"get mta-sts.{name}.near.test {HTTPS_NEAR}"


# Behaviours of tests/world/httpsd.py, each a domain of its name.
SCRIPTED = {
    "plain": (FINE, 500),
    "endless-chunks": (r"TOO_BIG OK status=200 .*64 KiB", 1000),
    "long-chunks": (r"TOO_BIG OK status=200 ", 1000),
    "endless-head": (r"TOO_BIG OK status=0 .*16 KiB", 1000),
    "big-head": (r"TOO_BIG OK status=0 ", 1000),
    "cut": (r"CUT OK status=200 delimited=1 ", 1000),
    "cut-chunk": (r"CUT OK status=200 delimited=1 ", 1000),
    "junk": (r"PROTOCOL OK status=0 ", 1000),
    "nothing": (r"CUT OK status=0 ", 1000),
    "until-close": (r"COMPLETE OK status=200 delimited=0 len=41 ", 1000),
    "until-reset": (r"COMPLETE OK status=200 delimited=0 len=41 ", 1000),
    "http10": (FINE, 500),
    "keep-alive": (FINE, 500),
    "http09": (r"PROTOCOL OK status=0 ", 1000),
    "early-hints": (FINE, 500),
    "continue-100": (FINE, 500),
    "gzip-unasked": (r"COMPLETE OK status=200 delimited=1 len=\d\d ", 500),
    "gzip-bomb": (r"COMPLETE OK status=200 delimited=1 len=5\d{4} ", 1500),
    "not-modified": (r"COMPLETE OK status=304 ", 500),
    "aged": (FINE, 500),
    "cookies": (FINE, 500),
    "refresh": (FINE, 500),
    "moved": (r"COMPLETE OK status=302 ", 500),
    "moved-for-good": (r"COMPLETE OK status=301 ", 500),
    "two-types": (r'COMPLETE OK status=200 .*type="text/plain, text/html"',
                  500),
    "lf-only": (FINE, 500),
    "http2-only": (r"(PROTOCOL|CUT|TIMEOUT) OK status=0 ", 6000),
}
# Words of tests/world/https.py for a server's certificate or protocol.
CERTS = {
    "good": ({}, FINE),
    "wrong-name": ({"cert": "wrong-name"}, "CERT HOST_MISMATCH "),
    "expired": ({"cert": "expired"}, "CERT EXPIRED "),
    "not-yet": ({"cert": "not-yet"}, "CERT NOT_YET_VALID "),
    "other-ca": ({"cert": "other-ca"}, "CERT NOT_TRUSTED "),
    "self-signed": ({"cert": "self-signed"}, "CERT NOT_TRUSTED "),
    "cn-only": ({"cert": "cn-only"}, "CERT (NO_DNS_ID|HOST_MISMATCH) "),
    "ip-san": ({"cert": "ip-san"}, "CERT (NO_DNS_ID|HOST_MISMATCH) "),
    "wildcard": ({"cert": "wildcard"}, FINE),
    "partial": ({"cert": "partial-wildcard"},
                "CERT (NO_DNS_ID|HOST_MISMATCH) "),
    "tld": ({"cert": "tld-wildcard"}, "CERT (NO_DNS_ID|HOST_MISMATCH) "),
    "client": ({"cert": "client-only"}, "CERT (OTHER|NOT_TRUSTED) "),
    "tls11": ({"tls": "1.1"}, "TLS OK status=0 "),
    "tls12": ({"tls": "1.2"}, FINE),
    "tls13": ({"tls": "1.3"}, FINE),
    "h2": ({"http2": True}, FINE),
    "s404": ({"status": 404}, r"COMPLETE OK status=404 "),
    "s500": ({"status": 500}, r"COMPLETE OK status=500 "),
}


def http_rows() -> list[Probe]:
    good = https.address({})
    good6 = https.address({}, True)
    rows = [Probe(f"script {name}", script(name), want, most)
            for name, (want, most) in SCRIPTED.items()]
    rows += [Probe(f"server {name}",
                 f"get mta-sts.{name}.test {https.address(spec)}", want, 2000)
             for name, (spec, want) in CERTS.items()]
    rows += [
        Probe("IPv6", f"get mta-sts.good.test {good6}", FINE, 500),
        Probe("broken AAAA, working A",
            f"get mta-sts.good.test {at('refused6')} {good}", FINE, 1000),
        Probe("silent AAAA, working A",
            f"get mta-sts.good.test {at('blackhole6')} {good}", FINE, 1000),
        Probe("silent A, working AAAA",
            f"get mta-sts.good.test {at('blackhole')} {good6}", FINE, 1000),
        Probe("first A refused", f"get mta-sts.good.test {at('refused')} {good}",
            FINE, 1000),
        Probe("first A silent",
            f"-t 3000 get mta-sts.good.test {at('blackhole')} {good}", FINE,
            2500),
        Probe("no address", "get mta-sts.good.test", "CONNECT OK ", 100),
        Probe("port closed", f"get mta-sts.good.test {at('refused')}",
            "CONNECT OK ", 500),
        Probe("port closed, both families",
            f"get mta-sts.good.test {at('refused', 'refused6')}",
            "CONNECT OK ", 1000),
        Probe("no way there, 1 s",
            f"-t 1000 get mta-sts.good.test {at('blackhole')}",
            "(TIMEOUT|CONNECT) OK ", 1300),
        Probe("silent after accept, 1 s",
            f"-t 1000 get mta-sts.good.test {at('silent')}", "TIMEOUT OK ",
            1300),
        Probe("stall in the handshake, 1 s",
            f"-t 1000 get mta-sts.good.test {at('tls-stall')}", "TIMEOUT OK ",
            1300),
        Probe("silent after the request, 1 s",
            f"-t 1000 {script('silent-after-request')}",
            "TIMEOUT OK status=0 ", 1300),
        Probe("slow body, 1 s", f"-t 1000 {script('slow-body')}",
            "TIMEOUT OK status=200 ", 1300),
        Probe("slow header, 1 s", f"-t 1000 {script('slow-head')}",
            "TIMEOUT OK status=0 ", 1300),
        Probe("a byte a second, 1 s", f"-t 1000 {near('second')}",
            "TIMEOUT OK status=200 ", 1300),
        Probe("100 Continue for ever, 1 s", f"-t 1000 {script('endless-100')}",
            "(TOO_BIG|TIMEOUT) OK status=0 ", 1300),
        Probe("plain HTTP on the port",
            f"-n 60 -j 20 get mta-sts.good.test {HTTP_PLAIN}",
            r"(?s)^(TLS OK[^\n]*\n){60}$", 2000),
        Probe("plain HTTP, and a reset at once",
            f"-n 60 -j 20 get mta-sts.good.test {PLAIN_RESETS}",
            r"(?s)^(TLS OK[^\n]*\n){60}$", 2000),
        Probe("hangs up in the handshake", f"get mta-sts.good.test {HANGS_UP}",
            "CUT OK ", 1000),
        Probe("resets in the handshake", f"get mta-sts.good.test {RESETS}",
            "CUT OK ", 1000),
        Probe("header line of 300 KB", near("long-line"), "TOO_BIG OK status=0 ",
            1000),
        Probe("10 MB announced", near("ten-mb"), "TOO_BIG OK status=200 .*len=0 ",
            1000),
        Probe("64 KiB", near("full"), "COMPLETE OK status=200 delimited=1 "
            "len=65536 "),
        Probe("64 KiB, chunked", near("full-chunk"),
            "COMPLETE OK status=200 delimited=1 len=65536 "),
        Probe("64 KiB + 1", near("over"), "TOO_BIG OK status=200 "),
        Probe("64 KiB + 1, chunked", near("over-chunk"),
            "TOO_BIG OK status=200 "),
        Probe("404 with a body that never comes", near("slow-404"),
            "COMPLETE OK status=404 ", 500),
        Probe("trailers say nothing", near("trailers"), FINE, 500),
        Probe("103 with a type of its own", near("hints-type"), FINE, 500),
        Probe("103 with a length of its own", near("hints-length"),
            "COMPLETE OK status=200 delimited=0 len=41 ", 500),
        Probe("no type", near("no-type"),
            'COMPLETE OK status=200 .*type="" ', 500),
        Probe("proxy and netrc in the environment",
            f"get mta-sts.good.test {good}", FINE, 500,
            {"https_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "x:9",
             "all_proxy": "http://127.0.0.1:9", "HOME": str(net.ROOT),
             "SSL_CERT_FILE": "/dev/null", "CURL_CA_BUNDLE": "/dev/null"}),
        Probe("no resolver is asked",
            f"get mta-sts.good.test {good}", FINE, 500,
            {"RES_OPTIONS": "timeout:30"}),
        Probe("120 at once", f"-n 120 -j 120 get mta-sts.good.test {good}",
            f"(?s)^({FINE}[^\n]*\n){{120}}$", 5000),
        Probe("30 at once, silent, 1 s", "-t 1000 -n 30 -j 30 "
            f"get mta-sts.good.test {at('silent')}",
            # each its own second, from when its turn comes
            r"(?s)^(TIMEOUT OK[^\n]*\n){30}$", 4500),
        Probe("CA file given", f"-C {ca.DIR}/ca.pem get mta-sts.good.test {good}",
            FINE, 500),
        Probe("another CA file given",
            f"-C {ca.DIR}/other.pem get mta-sts.good.test {good}",
            "CERT NOT_TRUSTED "),
        Probe("CA directory given",
            f"-P {net.ROOT}/hashed get mta-sts.good.test {good}", FINE, 500),
        Probe("CA file missing", f"-C /nowhere.pem get mta-sts.good.test {good}",
            "ERROR local: CA file /nowhere.pem: No such file"),
        Probe("CA file without certificates",
            f"-C /etc/passwd get mta-sts.good.test {good}",
            "ERROR local: CA file /etc/passwd: no certificate in it"),
        Probe("CA file with a broken certificate",
            f"-C {net.ROOT}/broken.pem get mta-sts.good.test {good}",
            "ERROR local: CA file .*no certificate in it"),
        Probe("CA file empty", f"-C /dev/null get mta-sts.good.test {good}",
            "ERROR local: CA file /dev/null: no certificate in it"),
        Probe("CA directory without certificates",
            f"-P /etc/init.d get mta-sts.good.test {good}",
            "ERROR local: CA directory /etc/init.d: no .*certificate in it"),
        Probe("CA directory missing",
            f"-P /nowhere get mta-sts.good.test {good}",
            "ERROR local: CA directory /nowhere: No such file"),
    ]
    return rows


# An MX host of the world for each: what becomes of STARTTLS with it.
SMTP = {
    "good": ("COMPLETE OK ", {}),
    "wildcard": ("COMPLETE OK ", {}),
    "tls1.2": ("COMPLETE OK ", {}),
    "tls1.1": ("TLS OK .*why=\".+\"", {}),
    "wrong-name": ("CERT HOST_MISMATCH ", {}),
    "no-san": ("CERT (NO_DNS_ID|HOST_MISMATCH) ", {}),
    "self-signed": ("CERT NOT_TRUSTED ", {}),
    "other-ca": ("CERT NOT_TRUSTED ", {}),
    "expired": ("CERT EXPIRED ", {}),
    "no-starttls": ("PROTOCOL OK ", {}),
    "454": ("PROTOCOL OK ", {}),
    "garbage": ("(PROTOCOL|TLS) OK ", {}),
    "drop": ("(CUT|PROTOCOL) OK ", {}),
    "busy": ("PROTOCOL OK ", {}),
    "endless": ("TOO_BIG OK ", {"greet": "220-" + "x" * 500, "again": 100}),
    "chatters": ("COMPLETE OK ", {"quit": "221-" + "y" * 900}),
}


def smtp_rows() -> list[Probe]:
    rows = [Probe(f"starttls {n}", f"starttls mx.{n}.test "
                f"{smtp.host(f'mx.{n}.test', **_does(n)).v4}", want, 1500)
            for n, (want, _) in SMTP.items()]
    good = smtp.host("mx.good.test")
    silent = smtp.host("mx.no-bye.test", quit="silent")
    return rows + [
        Probe("starttls no answer to QUIT, 1 s",
            f"-t 1000 starttls mx.no-bye.test {silent.v4}", "COMPLETE OK ",
            1300),
        Probe("starttls IPv6", f"starttls mx.good.test {good.v6}",
            "COMPLETE OK ", 1000),
        Probe("starttls another name", f"starttls mx.other.test {good.v4}",
            "CERT HOST_MISMATCH ", 1000),
        Probe("starttls silent, 1 s",
            f"-t 1000 starttls mx.good.test {at('blackhole')}",
            "(TIMEOUT|CONNECT) OK ", 1300),
        Probe("starttls 60 at once",
            f"-n 60 -j 60 starttls mx.good.test {good.v4}",
            r"(?s)^(COMPLETE OK[^\n]*\n){60}$", 5000)]


def _does(name: str) -> dict:
    more = SMTP[name][1]
    return more | {"does": name if name in smtp.BEHAVIOURS else "good"}


# --- Running ----------------------------------------------------------------

def build(_: Path) -> None:
    net.build()
    ca.build()
    dns.set_records(ZONE, reload=False)
    dns.build()
    dns.set_records({})
    names = list(SCRIPTED) + ["silent-after-request", "slow-body",
                              "slow-head", "endless-100"]
    https.build([({"script": n}, f"{n}.test") for n in names]
                + [(spec, f"{n}.test") for n, (spec, _) in CERTS.items()])
    for n in names:
        https.put(f"{n}.test", BODY, n)
    for n in CERTS:
        https.put(f"{n}.test", BODY)
    smtp.build()
    (net.ROOT / ".netrc").write_text("default login a password b\n")
    (net.ROOT / "broken.pem").write_text(
        "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n")
    hashed = net.ROOT / "hashed"
    hashed.mkdir()
    name = net.sh("openssl", "x509", "-in", str(ca.DIR / "ca.pem"), "-noout",
                  "-hash").strip()
    (hashed / f"{name}.0").write_text((ca.DIR / "ca.pem").read_text())
    dnsd.reply = near_reply
    for kind in NEAR:
        NearServer(kind).start()
    net.sh("ip", "address", "add", "fe80::53/64", "dev", "lo", "nodad")
    s6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s6.bind(("fe80::53", 53, 0, LO))
    dnsd.spawn(NearServer("near-good").serve_udp, s6)
    ctx = tls_context(DOT_NAME)
    serve(DOT, 853, lambda c: dot(c, ctx))
    web = tls_context(*[f"mta-sts.{n}.near.test" for n in NEAR_WEB])
    serve(HTTPS_NEAR, 443, lambda c: near_web(c, web))
    serve(HTTP_PLAIN, 443, plain_http)
    serve(PLAIN_RESETS, 443, plain_reset)
    serve(HANGS_UP, 443, lambda c: c.recv(65536))
    serve(RESETS, 443, reset)




# The limits are those of an idle machine; only what hangs may fail on others.
SLACK = float(os.environ.get("MTASTS_SLACK", "10"))


def run_probe(path: Path, flavour: str, probe: Probe) -> None:
    args = probe.args.replace("{flavour}", flavour).split()
    try:
        p = subprocess.run(
            [str(path / f"netprobe-{flavour}"), "-S", *args],
            env={"PATH": "/usr/bin:/bin", **probe.env}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30,
            check=False)
        text, status = p.stdout, p.returncode
    except subprocess.TimeoutExpired:
        text, status = "nothing in 30 s", -1
    slow = [float(m) for m in re.findall(r" ms=([0-9.]+) ", text)
            if float(m) > probe.most * SLACK]
    if re.match(probe.want, text) and not slow and \
            status == (2 if text.startswith("ERROR") else 0):
        return
    raise rows.Wrong("\n".join([
        f"netprobe-{flavour} {probe.args}",
        f"wanted {probe.want} in {probe.most:.0f} ms, status {status}",
        *text.splitlines()[:5]]))


def all_rows(path: Path) -> list[rows.Row]:
    probes = DNS_ROWS + http_rows() + smtp_rows()
    return [(f"{f}: {p.name}", partial(run_probe, path / "tests/edges", f, p))
            for p in probes for f in FLAVOURS]


if __name__ == "__main__":
    sys.exit(rows.main(__doc__, __file__, build, all_rows, workers=4))
