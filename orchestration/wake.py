"""Hints over LISTEN/NOTIFY. They may be lost: whoever waits for one also polls."""

from django.db import connection

ENGINE_CHANNEL = "esteira_engine"


def wake_engine() -> None:
    """Sent with the caller's commit; one hint stands for any number of changes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [ENGINE_CHANNEL])
