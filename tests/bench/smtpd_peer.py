# SPDX-License-Identifier: ISC
"""smtpd_peer.py SOCKET DOMAINS: postfix-mta-sts-resolver with a full cache.

Its own responder and its own cache in memory, filled as after a day's work,
so that nothing but the look-up over its socketmap is measured.
"""
import asyncio
import sys
import time

from postfix_mta_sts_resolver.base_cache import CacheEntry
from postfix_mta_sts_resolver.internal_cache import InternalLRUCache
from postfix_mta_sts_resolver.responder import STSSocketmapResponder


async def serve(path: str, domains: int) -> None:
    cache = InternalLRUCache(domains + 1)
    for i in range(domains):
        await cache.set(f"d{i}.test", CacheEntry(time.time(), "1", {
            "version": "STSv1", "mode": "enforce", "max_age": 604800,
            "mx": ["mx.test"]}))
    zone = {"strict_testing": False, "timeout": 4, "require_sni": False}
    conf = {"path": path, "reuse_port": False, "shutdown_timeout": 1,
            "cache_grace": 3600, "default_zone": zone, "zones": {}}
    responder = STSSocketmapResponder(conf, asyncio.get_running_loop(), cache)
    await responder.start()
    await asyncio.Event().wait()


asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
