from __future__ import annotations

from django.db import connection, models
from django.db.models.functions import Now

_COUNT = """
INSERT INTO orchestration_repair (kind, total, last_at) VALUES (%s, %s, statement_timestamp())
ON CONFLICT (kind) DO UPDATE SET total = orchestration_repair.total + excluded.total, last_at = excluded.last_at
"""


class Repair(models.Model):
    """How often the reconciler had to mend something of a kind, ever: `orchestration_reconciler_repairs_total{kind}`.

    In a row, because the processes that count are many and come and go.
    """

    kind = models.CharField(max_length=32, primary_key=True)
    total = models.PositiveBigIntegerField(default=0)
    last_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.kind}: {self.total}"


def count_repairs(kind: str, number: int = 1) -> int:
    """The same number, so that a sum can be made of it."""
    if number:
        with connection.cursor() as cursor:
            cursor.execute(_COUNT, [kind, number])
    return number
