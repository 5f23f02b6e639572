"""Which methods an address takes, for the `Allow` of a refusal: Starlette names those of the first route that fits."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path

if TYPE_CHECKING:
    from fastapi import FastAPI

_PLACE: Final = re.compile(r"{[^}]*}")


class _Template(NamedTuple):
    fits: re.Pattern[str]
    letters: int
    """Outside of its places: `/tasks/{id}:cancel` is more particular than `/tasks/{id}`, which fits its address too."""
    methods: frozenset[str]


def allowed(app: FastAPI, path: str) -> str:
    fitting = [one for one in _templates(app) if one.fits.fullmatch(path)]
    most = max((one.letters for one in fitting), default=0)
    return ", ".join(sorted(frozenset().union(*(one.methods for one in fitting if one.letters == most))))


@lru_cache(maxsize=4)
def _templates(app: FastAPI) -> list[_Template]:
    return [
        _Template(compile_path(context.path)[0], len(_PLACE.sub("", context.path)), frozenset(context.methods))
        for context in iter_route_contexts(app.routes)
        if context.path and context.methods
    ]
