# SPDX-License-Identifier: ISC
"""Policy hosts: nginx for what nginx can do, a script for what it can not.

Each way to behave has an address of its own; a domain is moved from one to
another by its A record.  All requests end up in two logs that tests count.
"""
import json
import signal
import subprocess
import threading

import ca
import httpsd
import net

DIR = net.ROOT / "https"
WWW, RULES = DIR / "www", DIR / "rules.json"
LOGS = (DIR / "nginx.log", DIR / "script.log")
_lock = threading.Lock()
_rules: dict[str, dict] = {}
_specs: dict[str, int] = {}  # spec in canonical form -> its number
_script: list[str] = []  # command of the script, and its process
_process: subprocess.Popen | None = None

# Addresses that need no server of their own.
PLACES = {
    "refused": ("198.18.1.99", "2001:db8:1::99"),
    "blackhole": ("198.18.66.1", "2001:db8:66::1"),
    "silent": httpsd.SILENT,
    "tls-stall": httpsd.TLS_STALL,
    "script": httpsd.ADDR,
    "loopback": ("127.0.0.1", "::1"),
    "private": ("10.0.0.1", "fc00::1"),
    "link-local": ("169.254.169.254", "fe80::1"),
    "mapped": ("198.18.1.99", "::ffff:127.0.0.1"),
    "unspecified": ("0.0.0.0", "::"),
}

# Words for certificates of a policy host: names (None: its own) and kind.
CERTS = {
    "other-ca": (None, "other-ca"),
    "self-signed": (None, "self-signed"),
    "expired": (None, "expired"),
    "not-yet": (None, "not-yet"),
    "cn-only": (None, "no-san"),
    "client-only": (None, "client-only"),
    "wrong-name": (["www.elsewhere.test"], "good"),
    "wildcard": (["*.{domain}"], "good"),
    "partial-wildcard": (["mta-*.{domain}"], "good"),
    "tld-wildcard": (["*.test"], "good"),
    "ip-san": (["IP:198.18.1.1"], "good"),
}

NGINX = """
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/nginx.err warn;
daemon off;
user root;
events {{ worker_connections 1024; }}
http {{
  log_format j escape=json '{{"t":$msec,"host":"$host","sni":"$ssl_server_name",'
    '"from":"$remote_addr","request":"$request","status":$status,'
    '"encoding":"$http_accept_encoding","agent":"$http_user_agent",'
    '"since":"$http_if_modified_since$http_if_none_match","by":"nginx"}}';
  access_log {dir}/nginx.log j;
  server_tokens off;
  keepalive_timeout 5;
  client_body_temp_path {dir}/tmp; proxy_temp_path {dir}/tmp;
  fastcgi_temp_path {dir}/tmp; uwsgi_temp_path {dir}/tmp;
  scgi_temp_path {dir}/tmp;
{servers}
}}
"""
SERVER = """
  server {{
    listen {v4}:443 ssl{h2} default_server;
    listen [{v6}]:443 ssl{h2} default_server;
    server_name ~^mta-sts\\.(?<domain>.+)$;
    ssl_certificate {ca}/{cert}.pem;
    ssl_certificate_key {ca}/{cert}.key;
    ssl_protocols {protocols};
    {ciphers}
    {also}
    root {dir}/www/$host;
    types {{ }}
    default_type "{type}";
    location = /.well-known/mta-sts.txt {{ {action} }}
    location / {{ return 404; }}
  }}
"""
BODY = ('"version: STSv1\\nmode: enforce\\nmx: mx.$domain\\n'
        'max_age: 86400\\n"')


def address(spec: dict | str, v6: bool = False) -> str:
    """Where a policy host lives that behaves as spec says."""
    if isinstance(spec, str):
        return PLACES[spec][v6]
    if "script" in spec:
        return httpsd.ADDR[v6]
    n = 20 + _specs[_key(spec)]
    return f"2001:db8:1::{n:x}" if v6 else f"198.18.1.{n}"


def _key(spec: dict) -> str:
    return json.dumps(spec, sort_keys=True)


def build(uses: list[tuple[dict, str]]) -> None:
    """Start the servers for all (spec, domain) of the scenarios."""
    WWW.mkdir(parents=True)
    (DIR / "tmp").mkdir()
    RULES.write_text("{}")
    domains: dict[str, list[str]] = {"{}": ["signed.test", "world.test"]}
    script = []
    for spec, domain in uses:
        if "script" in spec:
            script.append(domain)
        else:
            domains.setdefault(_key(spec), []).append(domain)
    servers = []
    for n, (key, names) in enumerate(domains.items()):
        _specs[key] = n
        servers.append(_server(json.loads(key), names))
    (DIR / "nginx.conf").write_text(
        NGINX.format(dir=DIR, servers="".join(servers)))
    net.far_daemon(["nginx", "-e", str(DIR / "nginx.err"), "-c",
                    str(DIR / "nginx.conf")], DIR / "nginx.out")
    cert = ca.cert([f"mta-sts.{d}" for d in dict.fromkeys(
        script + ["world.test"])])
    _script[:] = net.python(net.HERE / "httpsd.py", str(RULES),
                            str(ca.DIR / cert), str(LOGS[1]))
    start_script()
    net.wait_until(lambda: (DIR / "nginx.pid").exists()
                   and (DIR / "nginx.pid").stat().st_size > 0
                   and LOGS[1].exists(), 10, "policy hosts")


def start_script() -> None:
    global _process
    _process = net.far_daemon(_script, DIR / "script.err")


def wait_script() -> None:
    """Until its hosts answer."""
    probe = net.far("bash", "-c", f"exec 3<>/dev/tcp/{httpsd.ADDR[0]}/443")
    net.wait_until(lambda: subprocess.run(
        probe, check=False, capture_output=True).returncode == 0, 10,
        "policy hosts of the script")


def stop_script() -> None:
    """Connections to its hosts are refused from now on."""
    _process.kill()
    _process.wait()


def freeze_script() -> None:
    """Connections come about, and nothing comes over them."""
    _process.send_signal(signal.SIGSTOP)


def thaw_script() -> None:
    _process.send_signal(signal.SIGCONT)


def _server(spec: dict, domains: list[str]) -> str:
    # "group": no more domains to one certificate than it can name
    known = {"status", "type", "cert", "tls", "location", "etag", "http2", "also",
             "group"}
    if set(spec) - known:
        raise net.WorldError(f"https: unknown {set(spec) - known}")
    names, kind = CERTS[spec["cert"]] if "cert" in spec else (None, "good")
    sans = [n.format(domain=d) for d in dict.fromkeys(domains)
            for n in names or ["mta-sts.{domain}"]]
    cert = ca.cert(list(dict.fromkeys(sans)), kind)
    status = spec.get("status", 200)
    if "location" in spec:
        action = f"return {status} {spec['location']};"
    elif status != 200:
        action = f"return {status} {BODY};"
    else:
        action = f"alias {WWW}/$host/mta-sts.txt;"
    if spec.get("etag"):
        action += " etag on; expires 1d;"
    tls = spec.get("tls")
    key = _key(spec)
    n = 20 + _specs[key]
    return SERVER.format(
        v4=f"198.18.1.{n}", v6=f"2001:db8:1::{n:x}", ca=ca.DIR, cert=cert,
        dir=DIR, type=spec.get("type", "text/plain"), action=action,
        also=f'add_header Content-Type "{spec["also"]}";' if "also" in spec
        else "",
        h2=" http2" if spec.get("http2") else "",
        protocols=f"TLSv{tls}" if tls else "TLSv1.2 TLSv1.3",
        ciphers="ssl_ciphers ALL:@SECLEVEL=0;" if tls else "")


def put(domain: str, body: str | None, does: str = "plain") -> None:
    """The policy body of a domain; None: no such file."""
    host = f"mta-sts.{domain}"
    d = WWW / host
    d.mkdir(exist_ok=True)
    path = d / "mta-sts.txt"
    if body is None:
        path.unlink(missing_ok=True)
    else:
        tmp = d / "new"
        tmp.write_bytes(body.encode("latin-1"))
        tmp.rename(path)
    with _lock:
        _rules[host] = {"does": does, "body": body or ""}
        tmp = RULES.with_suffix(".new")
        tmp.write_text(json.dumps(_rules))
        tmp.rename(RULES)


def mark() -> list[int]:
    return [p.stat().st_size if p.exists() else 0 for p in LOGS]


def requests(since: list[int], domain: str) -> list[dict]:
    """All requests since the mark for the policy host of domain."""
    out = []
    for path, at in zip(LOGS, since):
        if not path.exists():
            continue
        with path.open("rb") as f:
            f.seek(at)
            for line in f.read().decode("utf-8", "replace").splitlines():
                r = json.loads(line)
                if r.get("host", "").lower() == f"mta-sts.{domain}" or \
                        (r.get("sni") or "").lower() == f"mta-sts.{domain}":
                    out.append(r)
    return out
