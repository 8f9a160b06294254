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


@dataclass
class Sent:
    """One message: what the server logged of it and where it stands."""
    ident: str
    rcpts: list[str]
    output: str = ""
    states: dict[str, str] = field(default_factory=dict)
    log: str = ""
    seconds: float = 0.0
