# SPDX-License-Identifier: ISC
"""What the manuals print to be copied, as it would be on the host under test."""
import re
from pathlib import Path

import dns
import net


def printed(word: str) -> str:
    """The lines of our manuals that begin with word, for sender.test."""
    pages = "".join((net.REPO / "docs" / name).read_text()
                    for name in ("mtasts-report.8", "mtasts-exim.5"))
    block = next(b for b in re.findall(r"(?ms)^\.Bd [^\n]*\n(.*?)^\.Ed$", pages)
                 if b.startswith(word))
    return block.replace("\\e", "\\").replace("example.com", "sender.test")


def make_key(path: Path) -> None:
    """A DKIM key, and its record as printed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    net.sh("openssl", "genrsa", "-out", str(path), "2048")
    pem = net.sh("openssl", "rsa", "-in", str(path), "-pubout")
    public = "".join(x for x in pem.splitlines()
                     if re.fullmatch(r"[A-Za-z0-9+/=]+", x))
    dns.set_records({"tlsrpt._domainkey.sender.test": [dns.txt(re.sub(
        r"p=.*", "p=" + public, printed("v=DKIM1").strip()))]})
