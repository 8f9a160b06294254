# SPDX-License-Identifier: ISC
"""Programs about mail that waits in OpenSMTPD's queue: what becomes of it, and
what configurations other than the shipped one make of it."""
import os
import re
import shutil
import signal
import smtplib
import socket
import ssl
import struct
import subprocess
import threading
import time

import dns
import net
import opensmtpd
import smtp
import special_smtpd
import steps


def interleave(p: steps.Place) -> str:
    """RCPT hangs at one table process, and the cache is another one when that
    answers: emptied or filled between the answers of the two."""
    d, mark = p.scenario.domain, smtp.mark()
    accepted: list[str] = special_smtpd._session([f"w@{d}"])
    hung = 0
    for change in ("emptied", "filled"):
        for pid in net.running("table-mtasts"):
            if change == "emptied":
                opensmtpd.drain(2)  # the domain and its MX hosts are known
            else:
                _empty()
            os.kill(pid, signal.SIGSTOP)
            t = threading.Thread(target=lambda: accepted.extend(
                special_smtpd._session([f"u{len(accepted)}@{d}"])))
            t.start()
            t.join(1)
            hung += t.is_alive()
            if change == "emptied":
                _empty()
            else:
                subprocess.run([*steps.command(p), "query", d], check=False,
                               stdout=subprocess.DEVNULL)
            os.kill(pid, signal.SIGCONT)
            t.join()
    queue = opensmtpd.ctl("show", "queue")
    got, clear = special_smtpd._received(mark)
    lost = [r for r in accepted if r not in got and f"|{r}|" not in queue]
    return f"hung={hung} clear={clear} lost={len(lost)}"


def _empty() -> None:
    for x in opensmtpd.CACHE.glob("[0-9a-f]*"):
        shutil.rmtree(x, ignore_errors=True)


def proxied(p: steps.Place) -> str:
    """To a listener with proxy-v2, for this host and for a stranger."""
    out = []
    for d, source in zip(p.domains, ("198.18.0.2", "192.0.2.9")):
        asked = dns.mark()
        with socket.create_connection((net.NEAR4, 2525), 20) as s:
            s.sendall(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" +
                      socket.inet_aton(source) + socket.inet_aton(net.NEAR4) +
                      struct.pack(">HH", 40000, 2525))
            f = s.makefile("rb")
            opensmtpd._reply(f)
            for line in ("EHLO x", "MAIL FROM:<s@sender.test>",
                         f"RCPT TO:<u@{d}>", "DATA", "Subject: x\r\n\r\nx\r\n."):
                s.sendall(line.encode() + b"\r\n")
                answer = opensmtpd._reply(f)
                if answer[:1] not in "23":
                    break
        opensmtpd.drain(10)
        out.append(f"{source}: {answer[:3]} "
                   f"asked={dns.asked(asked, f'_mta-sts.{d}') > 0}")
    return ", ".join(out)


def masquerade(p: steps.Place) -> str:
    """A user who authenticates, and whose From field is rewritten."""
    etc = opensmtpd.TOP / "etc"
    net.sh("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
           "/CN=submission.test", "-keyout", f"{etc}/p.key", "-out",
           f"{etc}/p.pem")
    (etc / "creds").write_text("joe " + opensmtpd.ctl("encrypt", "secret"))
    opensmtpd.use("masquerade")
    mark = smtp.mark()
    with smtplib.SMTP(net.NEAR4, 587, "client.test", 60) as c:
        c.starttls(context=ssl._create_unverified_context())
        c.login("joe", "secret")
        c.sendmail("joe@sender.test", [f"u@{p.scenario.domain}"],
                   "From: <alias@elsewhere.test>\r\nSubject: t\r\n\r\nx\r\n")
    opensmtpd.drain(20)
    return "\n".join(f"tls={s.get('tls')} mail={s['mail']} " + " ".join(
        re.findall(r"(?m)^From: .*$", s["text"])).strip()
        for s in smtp.sessions(mark) if s["data"])


def arguments(_p: steps.Place) -> str:
    """What smtpd takes behind the name of the program."""
    conf, out = opensmtpd.TOP / "etc/arguments.conf", []
    for arg in ("", ":", ":/etc/mtasts.conf", ":/etc/mtasts.conf?wait",
                ":wait", ":wait:/etc/mtasts.conf"):
        conf.write_text(f'table t "mtasts{arg}"\naction "a" relay\n'
                        'match for domain <t> action "a"\n')
        said = net.sh(*opensmtpd.RUN, "/usr/sbin/smtpd", "-n", "-f",
                      "/etc/arguments.conf", check=False)
        out.append("yes" if "configuration OK" in said else "no")
    return " ".join(out)


def around(p: steps.Place) -> str:
    """Mail that nothing stops from going round, a dozen times."""
    mark = smtp.mark()
    special_smtpd._session([f"u@{p.scenario.domain}"])

    def hops() -> int:
        return opensmtpd.log_since(opensmtpd._wiped).count(" smtp envelope ")

    net.wait_until(lambda: hops() > 12, 120, "mail that goes round", 0.2)
    return f"sent={len(special_smtpd._received(mark)[0])}"


def nearly_largest(p: steps.Place) -> str:
    """Messages to cold domains, below the limit of 4000 bytes by so much."""
    out = []
    for room, d in zip((1200, 10), p.domains):
        head = f"Subject: {'s' * 50}\r\n\r\n"
        letter = head + "x" * 70 + "\r\n"
        letter += "".join("y" * 78 + "\r\n" for _ in range(
            (4000 - room - len(letter)) // 80))
        at = opensmtpd.log_size()
        _letter(f"u@{d}", letter.encode())
        opensmtpd._settle(at, 30)
        sent = opensmtpd.Sent("", [f"u@{d}"])
        opensmtpd.drain(10)
        opensmtpd.judge(sent, opensmtpd.log_since(at))
        out.append(f"{room}: {sent.states[f'u@{d}']}")
    return ", ".join(out)


FROM_AFAR = """
import smtplib, sys
for r in sys.argv[2:]:
    with smtplib.SMTP(sys.argv[1], 25, "far.test", 30) as c:
        c.ehlo(); c.mail("s@far.test"); code = c.rcpt(r)[0]
        if code == 250:
            code = c.data(b"Subject: x\\r\\n\\r\\nx\\r\\n")[0]
        print(code, end=" ")
"""


def from_afar(p: steps.Place) -> str:
    """Mail of a stranger's host to each domain."""
    mark = smtp.mark()
    out = net.sh(*net.far("/usr/bin/python3", "-c", FROM_AFAR, net.NEAR4,
                          *[f"u@{d}" for d in p.domains]))
    opensmtpd.drain(8)
    got = sorted(f"{s['host']}={s.get('tls') or 'clear'}"
                 for s in smtp.sessions(mark) if s["data"])
    return out + " ".join(got)


def rush(p: steps.Place) -> str:
    """60 messages that wait, all handed on at one moment."""
    def overflows() -> int:
        names, values = (x.split() for x in net.sh(
            "grep", "^TcpExt:", "/proc/net/netstat").splitlines())
        return int(values[names.index("ListenOverflows")])

    def again() -> int:
        return len(re.findall(r' relay="127\.0\.0\.1 .* result="Ok"',
                              opensmtpd.log_since(at)))

    at, before = opensmtpd.log_size(), overflows()
    opensmtpd.ctl("pause", "mta")
    for n in range(60):
        special_smtpd._session([f"u@{n}.{p.scenario.domain}"])
    opensmtpd.ctl("resume", "mta")
    net.wait_until(lambda: again() == 60, 120, "all mail to come in again",
                   0.2)
    return f"overflows={overflows() - before}"


def crowd(p: steps.Place) -> str:
    """A message to 400 recipients of a domain that cannot be asked for, and to
    4 of another; smtpd takes them in an order of its own."""
    mark = smtp.mark()
    dead, other = p.domains
    special_smtpd._session([f"u{n}@{dead}" for n in range(400)] +
                           [f"u{n}@{other}" for n in range(4)])
    opensmtpd.drain(20)
    return f"arrived={len(special_smtpd._received(mark)[0])}"


LETTER = ("From: s@sender.test\r\nTo: =?utf-8?q?=C3=BC?= <u@x.test>\r\n"
          "Date: Sun, 29 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@x.test>\r\n"
          "X-Folded: a\r\n  b\r\n\tc\r\nSubject: t\r\n\r\n").encode() + (
              b"\xc3\xbc\xff 8 bit\r\n.dot\r\n..dots\r\n \r\n" +
              b"l" * 998 + b"\r\nend\r\n")


def _letter(to: str, letter: bytes, **options) -> None:
    with special_smtpd._connect() as c:
        c.sendmail("s@sender.test", [to], letter, **options)


def dkim_key(_p: steps.Place) -> str:
    key = opensmtpd.TOP / "etc/dkim.key"
    net.sh("openssl", "genrsa", "-out", str(key), "2048")
    key.chmod(0o644)
    return ""


def as_sent(p: steps.Place) -> str:
    """What of a message that waited reaches the MX host; then of one to a
    domain that is known."""
    d, out = p.scenario.domain, []
    for word in ("waited", "known"):
        mark = smtp.mark()
        with special_smtpd._connect() as c:
            c.ehlo()
            c.mail("s@sender.test", ["BODY=8BITMIME", "RET=HDRS", "ENVID=e1"])
            c.rcpt(f"u@{d}", ["NOTIFY=SUCCESS,FAILURE",
                              f"ORCPT=rfc822;u@{d}"])
            c.data(LETTER)
        opensmtpd.drain(20)
        for s in smtp.sessions(mark):
            if s["data"]:
                out.append(f"{word}: {_as_sent(s)}")
        time.sleep(1.5)  # the next one has a session of its own
    return "\n".join(out)


def forwarded(p: steps.Place) -> str:
    """Of mail without Date that an alias leads on, waiting and then not, who
    sent it and whether it has a Date now."""
    d, out = p.scenario.domain, []
    opensmtpd.alias({"forward20": f"u@{d}"})
    for word in ("waited", "known"):
        mark = smtp.mark()
        with special_smtpd._connect() as c:
            c.sendmail("s@elsewhere.test", ["forward20@sender.test"],
                       "Subject: x\r\n\r\nx\r\n")
        opensmtpd.drain(20)
        out += [f"{word}: {re.sub('=[A-Za-z0-9+/]{4}=..=', '=', s['mail'][0])}"
                f" date={chr(10) + 'Date: ' in s['text']}"
                for s in smtp.sessions(mark) if s["data"]]
        time.sleep(1.5)
    return ", ".join(out)


def _as_sent(s: dict) -> str:
    text = s["text"].encode("latin-1")
    head, _, body = text.partition(b"\r\n\r\n")
    fields = re.findall(rb"(?m)^([\w-]+):", head)
    want = LETTER.partition(b"\r\n\r\n")
    own = head[head.index(b"From: "):]
    return (f"tls={s.get('tls')} mail={s['mail'][0]} rcpt={s['rcpt'][0]} "
            f"body={'same' if body == want[2] else body} "
            f"header={'same' if own == want[0] else own} "
            f"received={fields.count(b'Received')} "
            f"dkim={fields.count(b'DKIM-Signature')}")


PROGRAMS = {f.__name__.replace("_", "-"): f for f in (
    interleave, proxied, masquerade, arguments, around, nearly_largest,
    from_afar, rush, crowd, dkim_key, as_sent, forwarded)}
