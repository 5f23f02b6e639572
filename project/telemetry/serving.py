"""The port that Prometheus reads: never that of the platform, which anybody may reach."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from django.conf import settings
from prometheus_client import REGISTRY, start_http_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

log = logging.getLogger(__name__)


@asynccontextmanager
async def metrics_served() -> AsyncIterator[None]:
    """While the web process runs; not at all where no port is set. A port that is taken ends the start."""
    if not settings.METRICS_PORT:
        yield
        return
    server, thread = start_http_server(settings.METRICS_PORT, settings.METRICS_HOST, REGISTRY)
    log.info("metrics", extra={"host": settings.METRICS_HOST, "port": settings.METRICS_PORT})
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
