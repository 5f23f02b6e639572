"""Probes. Liveness touches nothing outside this process; readiness asks what `manage.py doctor` asks, and is quick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.contrib.auth.decorators import login_not_required
from django.http import JsonResponse

from orchestration.findings import ERROR, tried
from project.doctor.database import READY
from project.stack.draining import is_draining

if TYPE_CHECKING:
    from django.http import HttpRequest

SAID: Final = {"pool": "unreachable", "migrations": "not migrated"}
"""What is wrong is said to whoever runs the doctor, not to everybody who can reach this."""


class Readiness:
    def __init__(self) -> None:
        self._is_migrated = False

    def fault(self) -> str:
        """Empty: none.

        Migrations are asked for until they are there: they are not undone. A database that is newer than this release
        is a warning: it serves it too, or nothing could ever be rolled back.
        """
        checks = READY[:1] if self._is_migrated else READY
        bad = [SAID[one.name] for one in tried(checks) if one.level == ERROR]
        self._is_migrated = self._is_migrated or not bad
        return bad[0] if bad else ""


readiness = Readiness()


@login_not_required
def live(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@login_not_required
def ready(_request: HttpRequest) -> JsonResponse:
    if is_draining():
        return JsonResponse({"status": "draining"}, status=503)
    if bad := readiness.fault():
        return JsonResponse({"status": "unavailable", "database": bad}, status=503)
    return JsonResponse({"status": "ok", "database": "ok"})
