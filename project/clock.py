"""Celery's beat, with a pulse."""

from __future__ import annotations

from typing import Any, override

from celery.beat import PersistentScheduler

from project import pulse


class Clock(PersistentScheduler):
    @override
    def tick(self, *args: Any, **kwargs: Any) -> Any:
        pulse.beat()
        return super().tick(*args, **kwargs)
