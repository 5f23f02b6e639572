"""Several ready queries in one statement, the later ones by what the earlier ones find: one trip for all of them."""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.db import connection

from orchestration.models.ready import BOUND, USER, found_ahead, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestration.models.account import User
    from orchestration.models.ready import Kind, Plan, Ready

    type Found = dict[Any, list[Any]]

_PLACEHOLDER: Final = re.compile("%[s%]")


@dataclass(frozen=True, slots=True)
class Ask:
    """`of` one of the caller's queries, with `found`: values that an earlier one brings, as (its place, attribute)."""

    of: Ready[Any]
    has_user: bool = False
    found: dict[str, tuple[int, str]] = field(default_factory=dict)


class Joined:
    """The first query finds who the user is, in the attributes `user` and `bound`; only the last may find many rows.

    What it reads waits for the calls of the same queries within `ahead`: they are what decides. A call that asks for
    anything else, or once more, goes to the database as ever.
    """

    def __init__(self, *asks: Ask, user: str, bound: str) -> None:
        self._asks, self._user, self._bound = asks, user, bound
        self._wholes: dict[Kind, _Whole] = {}

    def asked(self, kind: Kind, *values: dict[str, Any]) -> Asked:
        """`kind` is what the user is thought to be; if that is wrong, what was read of her is of no use."""
        whole = self._wholes.get(kind)
        if whole is None:
            whole = self._wholes[kind] = self._written(kind)
        params = [values[at][slot] if slot else value for at, slot, value in whole.params]
        return Asked(self, kind, values, whole, params)

    def found(self, asked: Asked, rows: Sequence[tuple[Any, ...]]) -> Found:
        """By what each of the queries will be asked."""
        found = []
        begin = 0
        for plan in asked.whole.plans:
            end = begin + plan.width
            some = rows if plan is asked.whole.plans[-1] else rows[:1]
            found.append([one for row in some if (one := plan.made(row[begin:end])) is not None])
            begin = end
        return self._by_key(asked.kind, asked.values, found)

    def _by_key(self, kind: Kind, values: Sequence[dict[str, Any]], found: Sequence[list[Any]]) -> Found:
        first = self._asks[0]
        keyed = {first.of.key(None, values[0]): found[0]}
        if not found[0]:
            return keyed
        user: User = found[0][0].user
        user.bound_to = getattr(found[0][0], self._bound)
        if kind_of(user) != kind:
            return keyed
        for ask, given, rows in zip(self._asks[1:], values[1:], found[1:], strict=True):
            sources = {name: found[at] for name, (at, _) in ask.found.items()}
            if all(sources.values()):
                more = {name: getattr(sources[name][0], attribute) for name, (_, attribute) in ask.found.items()}
                keyed[ask.of.key(user if ask.has_user else None, given | more)] = rows
        return keyed

    def _written(self, kind: Kind) -> _Whole:
        plans = [ask.of.plan(kind if ask.has_user else None) for ask in self._asks]
        parts: list[str] = []
        params: list[tuple[int, str | None, Any]] = []
        for at, (ask, plan) in enumerate(zip(self._asks, plans, strict=True)):
            found = ask.found | ({USER: (0, self._user), BOUND: (0, self._bound)} if ask.has_user else {})
            names = iter(plan.params)

            def filled(placeholder: re.Match[str], found: Any = found, names: Any = names, at: int = at) -> str:
                if placeholder[0] == "%%":
                    return "%%"
                name, value = next(names)
                if name in found:
                    source, attribute = found[name]
                    return f"(SELECT c{_column(plans[source], attribute)} FROM q{source})"  # noqa: S608  the same
                params.append((at, name, value))
                return "%s"

            columns = ", ".join(f"c{n}" for n in range(plan.width))
            parts.append(f"q{at} ({columns}) AS MATERIALIZED ({_PLACEHOLDER.sub(filled, plan.sql)})")
        chosen = ", ".join(f"q{at}.*" for at in range(len(plans)))
        joins = " ".join(f"LEFT JOIN q{at} ON true" for at in range(len(plans)))
        sql = f"WITH {', '.join(parts)} SELECT {chosen} FROM (SELECT 1) one {joins}"  # noqa: S608  Django's own words
        return _Whole(sql, params, plans)


class Asked(NamedTuple):
    """What one call will ask for, with the statement that asks for all of it."""

    of: Joined
    kind: Kind
    values: Sequence[dict[str, Any]]
    whole: _Whole
    params: list[Any]

    @contextmanager
    def ahead(self) -> Iterator[None]:
        token = found_ahead.set(self.read())
        try:
            yield
        finally:
            found_ahead.reset(token)

    def read(self) -> Found:
        with connection.cursor() as cursor:
            cursor.execute(self.whole.sql, self.params)
            return self.of.found(self, cursor.fetchall())


def read_together(asked: Sequence[Asked]) -> list[Found]:
    """For several calls, in one trip. Each sees what was committed when its own statement began."""
    found: dict[int, Found] = {}
    alike = defaultdict(list)
    for at, one in enumerate(asked):
        alike[id(one.whole)].append(at)
    for places in alike.values():
        found |= zip(places, _read_alike([asked[at] for at in places]), strict=True)
    return [found[at] for at in range(len(asked))]


def _read_alike(asked: Sequence[Asked]) -> list[Found]:
    """The same statement with other values."""
    if len(asked) == 1:
        return [asked[0].read()]
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        cursor.executemany(asked[0].whole.sql, [one.params for one in asked], returning=True)
        found = []
        for one in asked:
            found.append(one.of.found(one, cursor.fetchall()))
            cursor.nextset()
        return found


class _Whole(NamedTuple):
    sql: str
    params: list[tuple[int, str | None, Any]]
    plans: list[Plan]


def _column(plan: Plan, attribute: str) -> int:
    return plan.maker.places[plan.maker.names.index(attribute)]
