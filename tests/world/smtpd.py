# SPDX-License-Identifier: ISC
"""SMTP servers that behave as told, one per address, on the far side.

One listener serves every address; what an address does is looked up in a
JSON file at each connection.  Two lines of record per connection: "open",
and "close" with all that was received.  Tests judge by these.
"""
import json
import os
import socket
import ssl
import sys
import threading
import time

CA = sys.argv[1] if len(sys.argv) > 1 else ""
RULES = sys.argv[2] if len(sys.argv) > 2 else ""
VERSIONS = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1,
            "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_contexts: dict[tuple, ssl.SSLContext] = {}
_lock = threading.Lock()


def rules_of(addr: str) -> dict:
    try:
        with open(RULES, encoding="utf-8") as f:
            return json.load(f).get(addr, {})
    except (OSError, ValueError):
        return {}


def context(cert: str, only: str | None) -> ssl.SSLContext:
    key = (cert, only)
    with _lock:
        if key not in _contexts:
            ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            ctx.load_cert_chain(f"{CA}/{cert}.pem", f"{CA}/{cert}.key")
            if only:
                ctx.set_ciphers("ALL:@SECLEVEL=0")
                ctx.minimum_version = ctx.maximum_version = VERSIONS[only]
            ctx.sni_callback = _note_sni
            _contexts[key] = ctx
        return _contexts[key]


def _note_sni(sock, name, _ctx) -> None:
    _sni[threading.get_ident()] = name


_sni: dict[int, str | None] = {}


class Session:
    """One connection, from greeting to end."""

    def __init__(self, sock: socket.socket, rule: dict, rec: dict) -> None:
        self.sock, self.rule, self.rec = sock, rule, rec
        self.file = sock.makefile("rb")
        self.rcpts: list[str] = []  # of the message under way

    def say(self, text: str) -> None:
        self.sock.sendall(text.encode() + b"\r\n")

    def run(self) -> None:
        if self.rule.get("greet"):
            for _ in range(self.rule.get("again", 1)):
                self.say(self.rule["greet"])
            return
        time.sleep(float(self.rule.get("greets", 0)))
        self.say("220 world ESMTP")
        while True:
            line = self.file.readline(4096)
            if not line:
                self.rec["end"] = "client closed"
                return
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if not self.command(text):
                return

    def command(self, text: str) -> bool:
        verb = text[:4].upper()
        needs_tls = self.rule.get("starttls") == "required" and \
            not self.rec.get("tls")
        if verb in ("EHLO", "HELO"):
            self.rec["ehlo_tls" if self.rec.get("tls") else "ehlo"] = text[5:]
            self.capabilities() if verb == "EHLO" else self.say("250 world")
        elif verb == "STAR":
            return self.starttls()
        elif verb == "QUIT" and self.rule.get("quit") == "silent":
            self.rec["quit"] = True
        elif verb == "QUIT":
            self.say(self.rule.get("quit", "221 bye"))
            self.rec["end"] = "quit"
            if self.rec.get("tls"):
                self.sock.unwrap()
            return False
        elif needs_tls:
            self.say("530 5.7.0 Must issue a STARTTLS command first")
        elif verb == "MAIL":
            if not self.rec["mail"]:
                time.sleep(float(self.rule.get("mail", 0)))
            self.rec["mail"].append(text[10:])
            self.rcpts = []
            self.say("250 ok")
        elif verb == "RCPT":
            self.rec["rcpt"].append(text[8:])
            self.rcpts.append(text[8:])
            self.say(self.rule.get("rcpt", "250 ok"))
        elif verb == "DATA":
            return self.data()
        else:
            self.say("250 ok")
        return True

    def capabilities(self) -> None:
        if self.rule.get("ehlo"):
            self.say(self.rule["ehlo"])
            return
        caps = ["world", "8BITMIME", "SMTPUTF8", "PIPELINING"]
        if not self.rec.get("tls") and self.rule.get("starttls") != "no":
            caps.append("STARTTLS")
        if self.rule.get("dsn"):
            caps.append("DSN")
        self.say("".join(f"250-{cap}\r\n" for cap in caps[:-1])
                 + f"250 {caps[-1]}")

    def starttls(self) -> bool:
        how = self.rule.get("starttls", "yes")
        self.rec["starttls"] = True
        if how == "no":
            self.say("502 5.5.1 no such command")
            return True
        if how[:1] in "45":
            self.say(f"{how} 4.7.0 TLS not available")
            return True
        if how == "drop":
            return False
        self.say("220 go ahead")
        if how == "garbage":
            self.sock.sendall(b"this is no TLS\r\n" * 4)
            return False
        rule = rules_of(self.rec["at"])  # as it is by now
        ctx = context(rule["cert"], rule.get("tls"))
        try:
            self.sock = ctx.wrap_socket(self.sock, server_side=True)
        finally:
            self.rec["sni"] = _sni.pop(threading.get_ident(), None)
        self.rec["tls"] = self.sock.version()
        self.file = self.sock.makefile("rb")
        return True

    def data(self) -> bool:
        if self.rule.get("data"):
            self.say(self.rule["data"])
            return True
        self.say("354 go on")
        text = b""
        while (line := self.file.readline(100000)) not in (b".\r\n", b""):
            if line.startswith(b"X-"):
                self.rec["x"] = line.decode("latin-1").strip()
            if self.rule.get("keep"):  # all of it, RFC 5321 4.5.2
                text += line[line.startswith(b"."):]
                self.rec["text"] = text.decode("latin-1")
        if line:
            self.rec["data"] += 1
            self.rec["clear"] = not self.rec.get("tls")
            self.rec["taken"] += self.rcpts
            self.say("250 2.0.0 taken")
        return bool(line)


def serve(sock: socket.socket, log) -> None:
    addr = sock.getsockname()[0]
    rec = {"at": addr, "from": sock.getpeername()[0], "t": time.time(),
           "mail": [], "rcpt": [], "data": 0, "taken": []}
    key = f"{os.getpid()}.{threading.get_ident()}.{rec['t']}"
    log.write(json.dumps({"open": key}) + "\n")
    try:
        sock.settimeout(30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = Session(sock, rules_of(addr), rec)
        session.run()
        session.sock.close()
    except (OSError, ValueError, KeyError) as e:
        if rec.get("end") != "quit":
            rec["end"] = f"{type(e).__name__}: {e}"
        sock.close()
    log.write(json.dumps({"close": key, **rec}) + "\n")


def listen(family: int, addr: str, log) -> None:
    s = socket.socket(family)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((addr, 25))
    s.listen(512)
    while True:
        c, _ = s.accept()
        threading.Thread(target=serve, args=(c, log), daemon=True).start()


def main() -> None:
    with open(sys.argv[3], "a", buffering=1, encoding="utf-8") as log:
        threading.Thread(target=listen, args=(socket.AF_INET6, "::", log),
                         daemon=True).start()
        listen(socket.AF_INET, "0.0.0.0", log)


if __name__ == "__main__":
    main()
