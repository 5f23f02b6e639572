"""Probes. Liveness touches nothing outside this process; readiness asks the database, as `manage.py doctor` would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.decorators import login_not_required
from django.db import OperationalError, connection
from django.http import JsonResponse
from psycopg_pool import PoolTimeout

from orchestration.findings import ERROR, Fault
from project.doctor.database import migrated
from project.stack.draining import is_draining

if TYPE_CHECKING:
    from django.http import HttpRequest


class Schema:
    """Whether the tables are those that this release needs. Asked until they are: migrations are not undone."""

    def __init__(self) -> None:
        self._is_known = False

    def check(self) -> None:
        """Raises Fault."""
        if self._is_known:
            return
        try:
            migrated()
        except Fault as fault:
            # One that is newer than this release serves it too, or nothing could ever be rolled back.
            if fault.level == ERROR:
                raise
        self._is_known = True


schema = Schema()


@login_not_required
def live(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@login_not_required
def ready(_request: HttpRequest) -> JsonResponse:
    if is_draining():
        return JsonResponse({"status": "draining"}, status=503)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        schema.check()
    except (OperationalError, PoolTimeout):
        return JsonResponse({"status": "unavailable", "database": "unreachable"}, status=503)
    except Fault:
        # Which migrations is said to whoever runs the doctor, not to everybody who can reach this.
        return JsonResponse({"status": "unavailable", "database": "not migrated"}, status=503)
    return JsonResponse({"status": "ok", "database": "ok"})
