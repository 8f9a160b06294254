# SPDX-License-Identifier: ISC
"""A strict judge of TLS reports, written from RFC 8460 alone.

Shares no code with what it judges: Python's email, gzip and json modules and
the rules below.  Each fault is one line that begins with the clause.
"""
import base64
import email
import email.policy
import gzip
import ipaddress
import json
import re
from datetime import datetime, timezone

RESULTS = {  # 4.3
    "starttls-not-supported", "certificate-host-mismatch",
    "certificate-expired", "certificate-not-trusted", "validation-failure",
    "tlsa-invalid", "dnssec-invalid", "dane-required",
    "sts-policy-fetch-error", "sts-policy-invalid", "sts-webpki-invalid"}
TYPES = {"tlsa", "sts", "no-policy-found"}  # 4.4
LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN = re.compile(rf"{LABEL}(\.{LABEL})*")
ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
MSG_ID = re.compile(rf"{ATEXT}(\.{ATEXT})*@{ATEXT}(\.{ATEXT})*")
ADDR_SPEC = re.compile(rf"{ATEXT}(\.{ATEXT})*@(.+)")
NAME = re.compile(r"([^!]+)!([^!]+)!(\d+)!(\d+)(!([A-Za-z0-9]+))?"
                  r"\.json(\.gz)?")
TLSA = re.compile(r"(\d{1,3} ){3}([0-9A-F]{2})+")  # RFC 6698 2.2
TOP = {"organization-name", "date-range", "contact-info", "report-id",
       "policies"}
ROW = {"result-type", "sending-mta-ip", "receiving-mx-hostname",
       "receiving-mx-helo", "receiving-ip", "failed-session-count",
       "additional-information", "failure-reason-code"}


class Judge:
    def __init__(self) -> None:
        self.faults: list[str] = []
        self.body: dict = {}

    def need(self, good, clause: str) -> bool:
        if not good:
            self.faults.append(clause)
        return bool(good)

    # --- 4.4: the JSON ------------------------------------------------------

    def json(self, raw: bytes) -> None:
        def once(pairs):
            self.need(len({k for k, _ in pairs}) == len(pairs),
                      f"RFC 7493 2.3: a name twice: {pairs}")
            return dict(pairs)
        try:
            self.body = json.loads(raw.decode("utf-8"),
                                   object_pairs_hook=once)
        except ValueError as e:
            self.faults.append(f"4.4: not JSON in UTF-8: {e}")
            return
        self.top(self.body)

    def top(self, j) -> None:
        if not self.need(isinstance(j, dict) and set(j) == TOP,
                         f"4.4: top level is {sorted(j)}"):
            return
        self.text(j, "organization-name", "4.4")
        m = ADDR_SPEC.fullmatch(str(j["contact-info"]))
        self.need(m and DOMAIN.fullmatch(m[2].lower()),
                  f"4.4: contact-info {j['contact-info']!r}")
        self.need(MSG_ID.fullmatch(str(j["report-id"])),
                  f"5.3: report-id {j['report-id']!r} is no RFC 5322 id")
        self.range(j["date-range"])
        self.need(isinstance(j["policies"], list) and j["policies"],
                  "4: policies is a non-empty array")
        for p in j["policies"]:
            self.policy(p)
        names = {p["policy"]["policy-domain"] for p in j["policies"]
                 if isinstance(p, dict) and "policy" in p}
        self.need(len(names) <= 1, f"4: several domains: {names}")

    def range(self, r) -> None:
        if not self.need(isinstance(r, dict) and
                         set(r) == {"start-datetime", "end-datetime"},
                         f"4.4: date-range {r}"):
            return
        times = []
        for k in ("start-datetime", "end-datetime"):
            self.need(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
                                   str(r[k])), f"4.4: {k} {r[k]!r}")
            times.append(datetime.fromisoformat(r[k].replace("Z", "+00:00")))
        self.start, self.end = (int(t.timestamp()) for t in times)
        self.need(self.start % 86400 == 0 and
                  self.end - self.start in (86399, 86400),
                  f"4.1: not a UTC day: {r}")

    def text(self, o, key: str, clause: str) -> None:
        v = o.get(key)
        self.need(isinstance(v, str) and v and v.isprintable(),
                  f"{clause}: {key} {v!r}")

    def count(self, o, key: str, least: int) -> int:
        v = o.get(key)
        self.need(type(v) is int and least <= v < 2 ** 53,
                  f"4.4: {key} {v!r}")
        return v if type(v) is int else 0

    def policy(self, p) -> None:
        if not self.need(isinstance(p, dict) and
                         set(p) - {"failure-details"} ==
                         {"policy", "summary"}, f"4.4: policy {p}"):
            return
        q = p["policy"]
        self.need(q.get("policy-type") in TYPES,
                  f"4.4: policy-type {q.get('policy-type')!r}")
        self.need(set(q) <= {"policy-type", "policy-string", "policy-domain",
                             "mx-host"}, f"4.4: policy has {sorted(q)}")
        self.need(DOMAIN.fullmatch(str(q.get("policy-domain"))),
                  f"4.4: policy-domain {q.get('policy-domain')!r}")
        self.policy_text(q)
        s = p["summary"]
        self.need(set(s) == {"total-successful-session-count",
                             "total-failure-session-count"},
                  f"4.4: summary {s}")
        self.count(s, "total-successful-session-count", 0)
        failed = self.count(s, "total-failure-session-count", 0)
        rows = p.get("failure-details", [])
        self.need(isinstance(rows, list), "4.4: failure-details is an array")
        self.need(bool(rows) == (failed > 0),
                  f"4.4: {failed} failures, {len(rows)} rows")
        total = sum(self.row(r) for r in rows)
        self.need(total >= failed, f"4: rows tell of {total} of {failed}")

    def policy_text(self, q) -> None:
        sts = q.get("policy-type") == "sts"
        tlsa = q.get("policy-type") == "tlsa"
        text = q.get("policy-string", [])
        self.need(not sts or "policy-string" in q,
                  "4.4: sts without policy-string")
        self.need(isinstance(text, list) and
                  all(isinstance(s, str) and "\n" not in s for s in text),
                  f"4.5: policy-string {text!r}")
        self.need(not tlsa or ("policy-string" in q and
                               all(TLSA.fullmatch(str(s)) for s in text)),
                  f"4.4: policy-string of tlsa {text!r}")
        mx = q.get("mx-host")
        self.need(mx is None or (sts and isinstance(mx, list) and mx and
                                 all(isinstance(m, str) for m in mx)),
                  f"4.4, erratum 6241: mx-host {mx!r}")
        if sts and mx and text:
            told = [s.split(":", 1)[1].strip().lower() for s in text
                    if s.lower().startswith("mx:")]
            self.need(told == mx, f"4.5: mx of the text {told}, beside {mx}")

    def row(self, r) -> int:
        if not self.need(isinstance(r, dict) and set(r) <= ROW,
                         f"4.4: row {r}"):
            return 0
        self.need(r.get("result-type") in RESULTS,
                  f"4.3: result-type {r.get('result-type')!r}")
        for key in ("sending-mta-ip", "receiving-ip"):
            if key in r:
                try:
                    good = str(ipaddress.ip_address(r[key])) == r[key]
                except ValueError:
                    good = False
                self.need(good, f"4.4, RFC 5952: {key} {r[key]!r}")
        if "receiving-mx-hostname" in r:
            self.need(DOMAIN.fullmatch(r["receiving-mx-hostname"]),
                      f"4.4: MX {r['receiving-mx-hostname']!r}")
        for key in set(r) - {"failed-session-count"}:
            self.text(r, key, "4.4: nothing is said of what is not known")
        return self.count(r, "failed-session-count", 1)

    # --- 5.1: the file name ----------------------------------------------------

    def file_name(self, name: str, compressed: bool) -> None:
        m = NAME.fullmatch(name)
        if not self.need(m, f"5.1: file name {name!r}") or not self.body:
            return
        contact = self.body["contact-info"].rsplit("@", 1)[1]
        domain = self.body["policies"][0]["policy"]["policy-domain"]
        self.need(m[1] == contact, f"5.1: sender {m[1]!r}, not {contact!r}")
        self.need(m[2] == domain, f"5.1: policy-domain {m[2]!r}")
        self.need((int(m[3]), int(m[4])) == (self.start, self.end),
                  f"5.1: times {m[3]} {m[4]}")
        self.need(bool(m[7]) == compressed, "5.2: extension and compression")

    # --- 5.3: the mail ------------------------------------------------------------

    def mail(self, raw: bytes, to: str | None = None) -> None:
        self.need(all(len(x) <= 998 for x in raw.split(b"\n")),
                  "RFC 5322 2.1.1: a line of over 998 characters")
        self.need(raw.isascii(), "RFC 5322: bytes over 127")
        msg = email.message_from_bytes(raw, policy=email.policy.default)
        self.need(not msg.defects, f"RFC 5322: {msg.defects}")
        for h in ("From", "To", "Date", "Message-ID", "Subject",
                  "MIME-Version", "Content-Type", "TLS-Report-Domain",
                  "TLS-Report-Submitter", "TLS-Required"):
            self.need(len(msg.get_all(h, [])) == 1, f"5.3: {h} once")
        self.need(msg.get_content_type() == "multipart/report" and
                  msg["Content-Type"].params.get("report-type") == "tlsrpt",
                  f"5.3: Content-Type {msg['Content-Type']}")
        parts = list(msg.iter_parts())
        if not self.need(len(parts) == 2, f"5.3: {len(parts)} parts"):
            return
        self.need(parts[0].get_content_type() == "text/plain",
                  "5.3: first part text/plain")
        self.need(parts[1].get_content_type() == "application/tlsrpt+gzip",
                  f"5.3: {parts[1].get_content_type()}")
        try:
            packed = base64.b64decode(
                "".join(parts[1].get_payload().split()), validate=True)
        except ValueError as e:
            self.faults.append(f"RFC 2045 6.8: {e}")
            return
        self.gzip(packed)
        self.file_name(str(parts[1].get_filename()), True)
        if not self.body:
            return
        contact = self.body["contact-info"].rsplit("@", 1)[1]
        domain = self.body["policies"][0]["policy"]["policy-domain"]
        self.need(msg["TLS-Report-Domain"] == domain, "5.3: TLS-Report-Domain")
        self.need(msg["TLS-Report-Submitter"] == contact,
                  "5.3: TLS-Report-Submitter")
        self.need(msg["TLS-Required"] == "No", "RFC 8689 5: TLS-Required")
        self.need(str(msg["Subject"]) ==
                  f"Report Domain: {domain} Submitter: {contact} "
                  f"Report-ID: <{self.body['report-id']}>",
                  f"5.3: Subject {msg['Subject']!r}")
        self.need(to is None or msg["To"] == to, f"To: {msg['To']}")
        when = msg["Date"].datetime
        self.need(when is not None and when.tzinfo is not None and
                  when >= datetime.fromtimestamp(self.end, timezone.utc),
                  f"RFC 5322 3.6.1: Date {msg['Date']}")

    def gzip(self, packed: bytes) -> None:
        try:
            raw = gzip.decompress(packed)
        except (OSError, EOFError) as e:
            self.faults.append(f"5.2: not gzip: {e}")
            return
        self.json(raw)


def judge_mail(raw: bytes, to: str | None = None) -> Judge:
    j = Judge()
    j.mail(raw, to)
    return j


def judge_post(body: bytes, content_type: str) -> Judge:
    j = Judge()
    j.need(content_type == "application/tlsrpt+gzip",
           f"5.4: Content-Type {content_type!r}")
    j.gzip(body)
    return j


def judge_json(raw: bytes) -> Judge:
    j = Judge()
    j.json(raw)
    return j
