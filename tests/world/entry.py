# SPDX-License-Identifier: ISC
"""Policy entries of the cache, made older than they are (docs/formats.md)."""
import os
import re
import time
from pathlib import Path


def _fnv(data: bytes) -> int:
    h = 14695981039346656037
    for c in data:
        h = (h ^ c) * 1099511628211 % (1 << 64)
    return (h ^ h >> 32) & 0xffffffff


def age(path: Path, unused: int = 0, **seconds: int) -> None:
    """These of its times are so long ago, and so is its last use."""
    now = int(time.time())
    head, text = path.read_text().split("\n", 1)
    for key, ago in seconds.items():
        text = re.sub(rf"^{key} \S+", f"{key} {now - ago}", text, flags=re.M)
    path.write_text(f"{head.split()[0]} {len(text)} "
                    f"{_fnv((path.name + text).encode()):08x}\n{text}")
    os.utime(path, (now - unused, now - unused))
