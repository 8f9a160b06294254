# SPDX-License-Identifier: ISC
"""The mail server under test: one for each world.

server is the module exim or opensmtpd.  Either has
  USER, TOP, CACHE, CONF   whose cache it is; where its root, cache and
                           configuration are, seen from the world
  RUN                      what a command begins with to run beside it
  build() wipe() wipe_cache() own() use() send() runq() queue() route()
  log_size() log_since() judge() trouble()
"""
from dataclasses import dataclass, field
from types import ModuleType

server: ModuleType


def become(user: str) -> list[str]:
    """What a command of another user than root begins with."""
    return [] if user == "root" else \
        ["/usr/bin/setpriv", f"--reuid={user}", f"--regid={user}",
         "--clear-groups"]


@dataclass
class Sent:
    """One message: what the server logged of it and where it stands."""
    ident: str
    rcpts: list[str]
    output: str = ""
    states: dict[str, str] = field(default_factory=dict)
    log: str = ""
    seconds: float = 0.0
