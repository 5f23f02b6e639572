"""manage.py exporter: what Prometheus reads of the platform as a whole, until told to stop. One of it is enough."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from prometheus_client import CollectorRegistry, start_http_server

from project.telemetry.platform import Platform


class Command(BaseCommand):
    help = "Serve metrics of the whole platform to Prometheus: what waits, what runs, how jobs end."
    # It goes on while the database is away, and says so.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.METRICS_HOST, help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=settings.METRICS_PORT or 9_464, help="(default: %(default)s)")

    def handle(self, *, host: str, port: int, **_: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        registry = CollectorRegistry(auto_describe=False)
        registry.register(Platform())
        try:
            server, thread = start_http_server(port, host, registry)
        except OSError as exc:
            raise CommandError(f"Cannot listen on {host}, port {port}: {exc.strerror}. Choose another --port.") from exc
        self.stdout.write(f"Metrics at http://{host}:{port}/metrics")
        self.stdout.flush()  # whoever started it may read it through a pipe
        stop.wait()
        server.shutdown()
        server.server_close()
        thread.join()
