"""Queries that every call makes, written into SQL once. What Django does to write one costs more than to ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid4

from django.db import connection
from django.db.models.base import ModelState

from orchestration.models.account import User

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.db import models

_USER, _BOUND = "user", "bound_to"


class Ready[M: models.Model]:
    """Called as `build` is, which must come to the same query whatever the values are; it gives the rows.

    `build` is given a stand-in for each value, and for the user one of her kind: whether she is a superuser, and
    whether she is held to one workspace. If it asks for anything else of her, that raises. `kinds` are the types of
    the values: UUID, str or list (of UUIDs).
    """

    def __init__(self, build: Callable[..., models.QuerySet[M]], **kinds: type) -> None:
        self._build, self._kinds = build, kinds
        self._plans: dict[tuple[bool, bool] | None, _Plan] = {}

    def __call__(self, user: User | None = None, **values: Any) -> list[M]:
        kind = None if user is None else (user.is_superuser, user.bound_to is None)
        plan = self._plans.get(kind)
        if plan is None:
            plan = self._plans[kind] = self._plan(kind)
        if user is not None:
            values |= {_USER: user.pk, _BOUND: user.bound_to}
        return plan.rows(values)

    def _plan(self, kind: tuple[bool, bool] | None) -> _Plan:
        slots: dict[str, Any] = {name: _stand_in(of) for name, of in self._kinds.items()}
        given = slots
        if kind is not None:
            slots = slots | {_USER: uuid4(), _BOUND: uuid4()}
            has = {"id": slots[_USER], "is_superuser": kind[0]}
            # from_db takes the values in the order of the columns; whatever it is not given it would look up, in vain.
            columns = [field.attname for field in User._meta.concrete_fields if field.attname in has]  # noqa: SLF001
            someone = User.from_db(connection.alias, columns, [has[name] for name in columns])
            someone.bound_to = None if kind[1] else slots[_BOUND]
            given = given | {_USER: someone}
        compiler: Any = self._build(**given).query.get_compiler(connection.alias)
        sql, params = compiler.as_sql()
        names = [next((name for name, slot in slots.items() if slot == param), None) for param in params]
        if lost := set(self._kinds) - set(names):
            raise ValueError(f"the query does not ask for {', '.join(sorted(lost))}")
        converters = compiler.get_converters([column[0] for column in compiler.select])
        maker = _Maker.of(compiler.klass_info, compiler.select, compiler.annotation_col_map)
        return _Plan(sql, list(zip(names, params, strict=True)), list(converters.items()), maker)


def _stand_in(of: type) -> Any:
    if of is list:
        return [uuid4()]
    return uuid4() if of is UUID else str(uuid4())


class _Plan(NamedTuple):
    sql: str
    params: list[tuple[str | None, Any]]
    converters: list[tuple[int, tuple[list[Any], Any]]]
    maker: _Maker

    def rows(self, values: dict[str, Any]) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(self.sql, [values[name] if name else param for name, param in self.params])
            found = cursor.fetchall()
        return [self.maker.make(self._converted(row)) for row in found]

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
