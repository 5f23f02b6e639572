from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.conf import settings

from project import env

if TYPE_CHECKING:
    from project.telemetry.traces import Otel


class ProjectConfig(AppConfig):
    name = "project"
    traces: Otel | None = None
    """None: nothing is traced."""

    def ready(self) -> None:
        # `shared_task` finds the app that is current; without this, .delay() would use a default one.
        from project.celery import app  # noqa: PLC0415  settings must be ready first

        app.set_default()
        if settings.TRACES:
            # Imported where it is used: most processes trace nothing.
            from project.telemetry.traces import install  # noqa: PLC0415

            self.traces = install(settings.TRACES, process=env.text("ESTEIRA_PROCESS", "manage"))
