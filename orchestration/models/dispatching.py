"""What dispatchers share: how often an engine may be called, and which one of them acts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.db import connection, models
from django.db.models.functions import Now

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

LONGEST_CLOSED: Final = timedelta(seconds=10)
"""A time beyond it is that of another clock, as after a failover, and means nothing."""
# One statement: all the buckets give what is asked of them, or none does. The times are the database's.
_TAKE: Final = """
WITH asked AS (
  SELECT * FROM unnest(%(scopes)s::text[], %(rates)s::float8[], %(bursts)s::float8[], %(amounts)s::float8[])
    AS a(scope, rate, burst, amount)
), seen AS (
  SELECT scope, tokens, LEAST(filled_at, statement_timestamp() + %(longest)s) AS filled_at
  FROM orchestration_tokenbucket WHERE scope = ANY(%(scopes)s::text[]) ORDER BY scope FOR UPDATE
), filled AS (
  SELECT scope, amount, rate, LEAST(amount, burst) AS needed, seen.filled_at,
    LEAST(burst, tokens + rate * GREATEST(0, EXTRACT(EPOCH FROM statement_timestamp() - seen.filled_at))) AS tokens,
    GREATEST(0, EXTRACT(EPOCH FROM seen.filled_at - statement_timestamp())) AS closed_s
  FROM seen JOIN asked USING (scope)
), answer AS (
  SELECT count(*) = cardinality(%(scopes)s::text[]) AND bool_and(tokens >= needed AND closed_s = 0) AS is_given
  FROM filled
)
UPDATE orchestration_tokenbucket b
SET tokens = f.tokens - CASE WHEN answer.is_given THEN f.amount ELSE 0 END,
  filled_at = GREATEST(f.filled_at, statement_timestamp())
FROM filled f, answer WHERE b.scope = f.scope
RETURNING b.scope, answer.is_given, f.closed_s + GREATEST(0, (f.needed - f.tokens) / f.rate)
"""


@dataclass(frozen=True, slots=True)
class Draw:
    """`amount` tokens of a bucket that holds `burst` and gets `rate` a second.

    More than it can ever hold is given when it is full, and paid back before anybody gets more.
    """

    scope: str
    rate: float
    burst: float
    amount: float


@dataclass(frozen=True, slots=True)
class Wait:
    """`scope` is the bucket that has too little for the longest."""

    scope: str
    seconds: float


class TokenBucketQuerySet(models.QuerySet["TokenBucket"]):
    def take(self, draws: Sequence[Draw]) -> Wait | None:
        """None: every one of them was given. Otherwise none was."""
        found = self._take(draws)
        if len(found) < len(draws):
            new = [TokenBucket(scope=draw.scope, tokens=draw.burst, filled_at=Now()) for draw in draws]
            self.bulk_create(new, ignore_conflicts=True)
            found = self._take(draws)
        if all(is_given for _, is_given, _ in found):
            return None
        scope, _, seconds = max(found, key=lambda row: float(row[2]))
        return Wait(scope, float(seconds))

    def close(self, scopes: Collection[str], seconds: float) -> None:
        """Nothing is given for so long, and then what has come in since."""
        self.filter(scope__in=scopes).update(tokens=0, filled_at=Now() + timedelta(seconds=seconds))

    @staticmethod
    def _take(draws: Sequence[Draw]) -> list[tuple[str, bool, Any]]:
        given: dict[str, Any] = {
            "scopes": [draw.scope for draw in draws],
            "rates": [draw.rate for draw in draws],
            "bursts": [draw.burst for draw in draws],
            "amounts": [draw.amount for draw in draws],
            "longest": LONGEST_CLOSED,
        }
        with connection.cursor() as cursor:
            cursor.execute(_TAKE, given)
            rows: list[tuple[str, bool, Any]] = cursor.fetchall()
        return rows


class TokenBucket(models.Model):
    """Shared by all processes, and as old as the database: a restart gives nobody a full one.

    `tokens` may be below zero: what was given ahead. `filled_at` in the future: closed until then.
    """

    scope = models.CharField(primary_key=True, max_length=128)
    tokens = models.FloatField()
    filled_at = models.DateTimeField()

    objects: ClassVar = TokenBucketQuerySet.as_manager()

    def __str__(self) -> str:
        return self.scope


class Leadership(models.Model):
    """Who alone does `duty`, until when. `is_wanted`: somebody else came meanwhile, so look once more before going."""

    duty = models.CharField(primary_key=True, max_length=32)
    holder = models.UUIDField(null=True)
    until = models.DateTimeField()
    is_wanted = models.BooleanField(default=False)

    class Meta:
        permissions = (("look_at_system", "Can look at the system's page"),)

    def __str__(self) -> str:
        return self.duty
