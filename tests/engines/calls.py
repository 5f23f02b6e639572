"""The calls that an adapter has made, in their order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNT: Final = "123456789012"


@dataclass(frozen=True, slots=True)
class Call:
    operation: str
    params: Mapping[str, Any]


@dataclass(slots=True)
class Calls:
    made: list[Call] = field(default_factory=list)

    def watch(self, client: Any) -> None:
        client.meta.events.register("before-parameter-build", self._note)

    def count(self, operation: str) -> int:
        return sum(call.operation == operation for call in self.made)

    def params(self, operation: str) -> list[Mapping[str, Any]]:
        return [call.params for call in self.made if call.operation == operation]

    def _note(self, params: dict[str, Any], model: Any, **_: object) -> None:
        self.made.append(Call(model.name, dict(params)))
