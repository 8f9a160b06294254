# SPDX-License-Identifier: ISC
"""A policy host that does what no decent web server does.

Runs on the far side.  What to do is named per host in a JSON file that is
read at each connection; the record of requests is like nginx's.
"""
import gzip
import json
import socket
import ssl
import sys
import threading
import time

ADDR = ("198.18.1.3", "2001:db8:1::3")
SILENT = ("198.18.1.10", "2001:db8:1::10")  # accepts, says nothing
TLS_STALL = ("198.18.1.11", "2001:db8:1::11")  # reads the hello, then nothing
RULES, CERT, LOG = (sys.argv + ["", "", ""])[1:4]


def rule_of(name: str) -> dict:
    with open(RULES, encoding="utf-8") as f:
        return json.load(f).get(name, {})


def head(length: int | None, *more: str, version: str = "1.1",
         status: str = "200 OK") -> bytes:
    lines = [f"HTTP/{version} {status}", "Content-Type: text/plain", *more]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


# --- behaviours: each gets the TLS socket and the good body -----------------

def plain(s, body):
    s.sendall(head(len(body)) + body)


def slow_body(s, body):
    s.sendall(head(len(body)))
    for b in body * 100:
        s.sendall(bytes([b]))
        time.sleep(0.05)


def slow_head(s, body):
    for b in head(len(body)) * 100:
        s.sendall(bytes([b]))
        time.sleep(0.05)


def endless_chunks(s, body):
    s.sendall(head(None, "Transfer-Encoding: chunked") + chunk(body))
    while True:
        s.sendall(chunk(b"mx: x.test\n" * 500))


def long_chunks(s, body):
    """A policy, then more than 64 KiB of it, properly ended."""
    s.sendall(head(None, "Transfer-Encoding: chunked") + chunk(body))
    for _ in range(20):
        s.sendall(chunk(b"mx: x.test\n" * 500))
    s.sendall(b"0\r\n\r\n")


def endless_head(s, _body):
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n")
    while True:
        s.sendall(b"X-Flood: " + b"x" * 1000 + b"\r\n")


def big_head(s, body):
    """64 KiB of headers, then all is well."""
    more = [f"X-{i}: " + "x" * 1000 for i in range(64)]
    s.sendall(head(len(body), *more) + body)


def cut(s, body):
    s.sendall(head(len(body) + 100) + body)


def cut_chunk(s, body):
    s.sendall(head(None, "Transfer-Encoding: chunked") + chunk(body))


def junk(s, _body):
    s.sendall(b"\x00\x01\x02 this is not HTTP\r\n\r\n" * 20)


def nothing(_s, _body):
    return


def silent_after_request(_s, _body):
    time.sleep(60)


def until_close(s, body):
    """No length: the end of the body is the close_notify."""
    s.sendall(head(None, "Connection: close") + body)
    s.unwrap()


def until_reset(s, body):
    """No length and no close_notify: anybody could have cut it here."""
    s.sendall(head(None, "Connection: close") + body)


def http10(s, body):
    s.sendall(head(len(body), version="1.0") + body)


def keep_alive(s, body):
    s.sendall(head(len(body), "Connection: keep-alive") + body)
    time.sleep(10)


def http09(s, body):
    s.sendall(body)


def early_hints(s, body):
    s.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
              + head(len(body)) + body)


def continue_100(s, body):
    s.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" + head(len(body)) + body)


def endless_100(s, _body):
    while True:
        s.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.001)


def folded(s, body):
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Type:\r\n text/plain\r\n"
              b"Content-Length: %d\r\n\r\n" % len(body) + body)


def lf_only(s, body):
    s.sendall(head(len(body)).replace(b"\r\n", b"\n") + body)


def gzip_unasked(s, body):
    data = gzip.compress(body)
    s.sendall(head(len(data), "Content-Encoding: gzip") + data)


def gzip_bomb(s, body):
    data = gzip.compress(body + b"\n" * (50 << 20))
    s.sendall(head(len(data), "Content-Encoding: gzip") + data)


def not_modified(s, _body):
    s.sendall(head(None, "ETag: \"1\"", status="304 Not Modified"))


def aged(s, body):
    s.sendall(head(len(body), "Age: 99999999", "ETag: \"1\"",
                   "Cache-Control: max-age=0, no-store") + body)


def cookies(s, body):
    s.sendall(head(len(body), "Set-Cookie: a=b", "Alt-Svc: h3=\":443\"",
                   "Strict-Transport-Security: max-age=9") + body)


def two_lengths(s, body):
    s.sendall(head(len(body), f"Content-Length: {len(body) - 5}") + body)


def refresh(s, body):
    """Something else than a redirect that points elsewhere."""
    s.sendall(head(len(body), "Refresh: 0; url=https://elsewhere.test/",
                   "Location: https://elsewhere.test/") + body)


def moved(s, body):
    s.sendall(head(len(body), "Location: https://mta-sts.elsewhere.test/",
                   status="302 Found") + body)


def moved_for_good(s, body):
    s.sendall(head(len(body), "Location: /other",
                   status="301 Moved Permanently") + body)


def http2_only(s, _body):
    s.sendall(bytes.fromhex("000000040000000000"))
    time.sleep(5)


def two_types(s, body):
    s.sendall(head(len(body), "Content-Type: text/html") + body)


def slow(s, body):
    time.sleep(2)
    s.sendall(head(len(body)) + body)


def late(s, body):
    time.sleep(4)
    s.sendall(head(len(body)) + body)


BEHAVIOURS = {f.__name__.replace("_", "-"): f for f in (
    plain, slow_body, slow_head, endless_chunks, long_chunks, endless_head,
    big_head, cut, cut_chunk, junk, nothing, silent_after_request,
    until_close, until_reset, http10, keep_alive, http09, early_hints,
    continue_100, endless_100, folded, lf_only, gzip_unasked, gzip_bomb,
    not_modified, aged, cookies, two_lengths, refresh, two_types, moved,
    moved_for_good, http2_only, slow, late)}


def read_head(s) -> dict[str, str]:
    data = b""
    while b"\r\n\r\n" not in data and len(data) < 65536:
        part = s.recv(4096)
        if not part:
            break
        data += part
    lines = data.decode("latin-1").split("\r\n")
    out = {"request": lines[0]}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        out[name.lower()] = value.strip()
    return out


_sni: dict[int, str | None] = {}


def serve(sock: socket.socket, ctx: ssl.SSLContext, log) -> None:
    peer = sock.getpeername()[0]
    at = sock.getsockname()[0]
    try:
        sock.settimeout(60)
        if at in SILENT:
            log.write(json.dumps({"at": at, "event": "connect"}) + "\n")
            time.sleep(60)
            return
        if at in TLS_STALL:
            sock.recv(4096)
            time.sleep(60)
            return
        with ctx.wrap_socket(sock, server_side=True) as s:
            answer(s, peer, log)
    except OSError:
        pass
    finally:
        sock.close()


def answer(s, peer: str, log) -> None:
    sni = _sni.pop(threading.get_ident(), None)
    req = read_head(s)
    if not req["request"]:
        return  # a certificate was refused
    name = req.get("host", "")
    log.write(json.dumps(
        {"t": time.time(), "host": name, "sni": sni, "from": peer,
         "request": req["request"], "encoding": req.get("accept-encoding", ""),
         "since": req.get("if-modified-since", "")
         + req.get("if-none-match", ""),
         "agent": req.get("user-agent", ""), "by": "script"}) + "\n")
    rule = rule_of(name)
    BEHAVIOURS[rule.get("does", "plain")](s, rule.get("body", "").encode())


def listen(addr: str, ctx: ssl.SSLContext, log) -> None:
    family = socket.AF_INET6 if ":" in addr else socket.AF_INET
    s = socket.socket(family)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((addr, 443))
    s.listen(128)
    while True:
        c, _ = s.accept()
        threading.Thread(target=serve, args=(c, ctx, log),
                         daemon=True).start()


def main() -> None:
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(CERT + ".pem", CERT + ".key")
    ctx.sni_callback = lambda s, name, c: _sni.__setitem__(
        threading.get_ident(), name)
    with open(LOG, "a", buffering=1, encoding="utf-8") as log:
        for addr in ADDR + SILENT + TLS_STALL:
            threading.Thread(target=listen, args=(addr, ctx, log),
                             daemon=True).start()
        threading.Event().wait()


if __name__ == "__main__":
    main()
