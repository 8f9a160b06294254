# SPDX-License-Identifier: ISC
"""The scripted policy host of tests/world, and one more way to behave."""
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "world"))
import httpsd

SECONDS = 4


def late(s, body):
    """The right answer, but late."""
    time.sleep(SECONDS)
    s.sendall(httpsd.head(len(body)) + body)


httpsd.BEHAVIOURS["late"] = late

if __name__ == "__main__":
    httpsd.main()
