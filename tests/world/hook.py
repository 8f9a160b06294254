# SPDX-License-Identifier: ISC
"""Takes TLS reports over HTTPS (RFC 8460 5.4), or does not.

Runs on the far side: hook.py DIR ADDRESS CERTSTEM ...  What is done depends
on the path; each request becomes a file in DIR.  With "silent" for CERTSTEM
connections are taken, and that is all.
"""
import base64
import json
import socket
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DIR = Path(sys.argv[1])
_lock = threading.Lock()
_n = 0


class Hook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        global _n
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with _lock:
            _n += 1
            part = DIR / f"{_n}.part"
            part.write_text(json.dumps({
                "t": time.time(), "method": self.command, "path": self.path,
                "sni": getattr(self.connection, "named", ""),
                "headers": {k.lower(): v for k, v in self.headers.items()},
                "body": base64.b64encode(body).decode()}))
            part.rename(DIR / f"{_n}.json")
        self.answer()

    def do_GET(self) -> None:
        self.do_POST()

    def answer(self) -> None:
        word = self.path.split("?")[0].strip("/")
        if word == "mute":  # it has the report, and hangs up
            self.close_connection = True
            return
        if word == "redirect":
            self.send_response(307)
            self.send_header("Location", "/ok")
        elif word.isdigit():
            self.send_response(int(word))
        else:
            self.send_response(200)
        if word == "endless":
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                return
        if word == "cut":
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.close_connection = True
            return
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


def silent(addr: str) -> None:
    s = socket.create_server((addr, 443), backlog=1024)
    kept = []
    while True:
        kept.append(s.accept())


def serve(addr: str, stem: str) -> None:
    if stem == "silent":
        threading.Thread(target=silent, args=(addr,), daemon=True).start()
        return
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(stem + ".pem", stem + ".key")

    def named(sock, name, _):
        sock.named = name or ""
    ctx.sni_callback = named
    server = Server((addr, 443), Hook)
    server.socket = ctx.wrap_socket(server.socket, server_side=True,
                                    do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main() -> None:
    for i in range(2, len(sys.argv), 2):
        serve(sys.argv[i], sys.argv[i + 1])
    (DIR / "ready").touch()
    threading.Event().wait()


if __name__ == "__main__":
    main()
