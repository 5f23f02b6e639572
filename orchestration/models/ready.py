"""Queries that every call makes, written into SQL once. What Django does to write one costs more than to ask it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID, uuid4

from django.db import connection
from django.db.models.base import ModelState

from orchestration.models.account import User

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.db import models

    type Kind = tuple[bool, bool] | None

USER, BOUND = "user", "bound_to"

found_ahead: Final[ContextVar[dict[Any, list[Any]] | None]] = ContextVar("found_ahead", default=None)
"""What `joined.Joined` has read for the calls that will come, each once, by `Ready.key`."""


class Ready[M: models.Model]:
    """Called as `build` is, which must come to the same query whatever the values are; it gives the rows.

    `build` is given a stand-in for each value, and for the user one of her kind: whether she is a superuser, and
    whether she is held to one workspace. If it asks for anything else of her, that raises. `kinds` are the types of
    the values: UUID, str or list (of UUIDs).
    """

    def __init__(self, build: Callable[..., models.QuerySet[M]], **kinds: type) -> None:
        self._build, self._kinds = build, kinds
        self._plans: dict[Kind, Plan] = {}

    def __call__(self, user: User | None = None, **values: Any) -> list[M]:
        if (ahead := found_ahead.get()) and (found := ahead.pop(self.key(user, values), None)) is not None:
            return found
        plan = self.plan(kind_of(user))
        if user is not None:
            values |= {USER: user.pk, BOUND: user.bound_to}
        return plan.rows(values)

    def key(self, user: User | None, values: dict[str, Any]) -> tuple[Any, ...]:
        """Of one question: who asks for what."""
        given = tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in values.items())
        return (self, user and (user.pk, user.bound_to, user.is_superuser), *sorted(given))

    def plan(self, kind: Kind) -> Plan:
        plan = self._plans.get(kind)
        if plan is None:
            plan = self._plans[kind] = self._plan(kind)
        return plan

    def _plan(self, kind: Kind) -> Plan:
        slots: dict[str, Any] = {name: _stand_in(of) for name, of in self._kinds.items()}
        given = slots
        if kind is not None:
            slots = slots | {USER: uuid4(), BOUND: uuid4()}
            has = {"id": slots[USER], "is_superuser": kind[0]}
            # from_db takes the values in the order of the columns; whatever it is not given it would look up, in vain.
            columns = [field.attname for field in User._meta.concrete_fields if field.attname in has]  # noqa: SLF001
            someone = User.from_db(connection.alias, columns, [has[name] for name in columns])
            someone.bound_to = None if kind[1] else slots[BOUND]
            given = given | {USER: someone}
        compiler: Any = self._build(**given).query.get_compiler(connection.alias)
        sql, params = compiler.as_sql()
        names = [next((name for name, slot in slots.items() if slot == param), None) for param in params]
        if lost := set(self._kinds) - set(names):
            raise ValueError(f"the query does not ask for {', '.join(sorted(lost))}")
        converters = compiler.get_converters([column[0] for column in compiler.select])
        maker = _Maker.of(compiler.klass_info, compiler.select, compiler.annotation_col_map)
        slotted = list(zip(names, params, strict=True))
        return Plan(sql, slotted, len(compiler.select), list(converters.items()), maker)


def kind_of(user: User | None) -> Kind:
    return None if user is None else (user.is_superuser, user.bound_to is None)


def _stand_in(of: type) -> Any:
    if of is list:
        return [uuid4()]
    return uuid4() if of is UUID else str(uuid4())


class Plan(NamedTuple):
    sql: str
    params: list[tuple[str | None, Any]]
    width: int
    converters: list[tuple[int, tuple[list[Any], Any]]]
    maker: _Maker

    def rows(self, values: dict[str, Any]) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(self.sql, [values[name] if name else param for name, param in self.params])
            found = cursor.fetchall()
        return [self.made(row) for row in found]

    def made(self, row: Sequence[Any]) -> Any:
        """None of a row that an outer join did not find."""
        return self.maker.make(self._converted(row))

    def _converted(self, row: Sequence[Any]) -> Sequence[Any]:
        values = list(row)
        for place, (converters, expression) in self.converters:
            for convert in converters:
                values[place] = convert(values[place], expression, connection)
        return values


class _Maker(NamedTuple):
    """Makes an instance of a row, with those that `select_related` names."""

    model: type[models.Model]
    names: list[str]
    places: list[int]
    extra: dict[str, int]
    primary_key: int
    related: list[tuple[_Maker, Any, Any]]

    @classmethod
    def of(cls, about: Any, select: Any, extra: dict[str, int]) -> _Maker:
        places = list(about["select_fields"])
        names = [select[place][0].target.attname for place in places]
        model = about["model"]
        below = [
            (cls.of(one, select, {}), one["local_setter"], one["remote_setter"])
            for one in about.get("related_klass_infos", ())
        ]
        return cls(model, names, places, extra, places[names.index(model._meta.pk.attname)], below)  # noqa: SLF001

    def make(self, row: Sequence[Any]) -> Any:
        """None: an outer join found nothing."""
        if row[self.primary_key] is None:
            return None
        made = self.model.__new__(self.model)
        state = made._state = ModelState()  # noqa: SLF001  as from_db leaves it
        state.adding, state.db = False, connection.alias
        made.__dict__.update({name: row[place] for name, place in zip(self.names, self.places, strict=True)})
        for name, place in self.extra.items():
            setattr(made, name, row[place])
        for maker, local, remote in self.related:
            other = maker.make(row)
            local(made, other)
            if other is not None:
                remote(other, made)
        return made
