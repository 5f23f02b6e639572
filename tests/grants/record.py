"""What was asked of AWS in this session, and the committed list that it must be on."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.grants.actions import NEEDED, signed
from tests.grants.processes import ROOT, process_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LIST: Final = ROOT / "deploy/iam/grants.json"


class Grant(NamedTuple):
    process: str
    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.process}: {self.action} on {self.resource}"


def committed() -> set[Grant]:
    said = json.loads(LIST.read_text(encoding="utf-8"))
    return {
        Grant(process, action, resource)
        for process, actions in said.items()
        for action, resources in actions.items()
        for resource in resources
    }


def as_text(grants: Iterable[Grant]) -> str:
    said: dict[str, dict[str, list[str]]] = {}
    for process, action, resource in sorted(grants):
        said.setdefault(process, {}).setdefault(action, []).append(resource)
    return json.dumps(said, indent=2) + "\n"


@dataclass(slots=True)
class Record:
    listed: set[Grant]
    asked: set[Grant] = field(default_factory=set)

    def call(self, params: Mapping[str, Any], model: Any, context: Mapping[str, Any], **_: object) -> None:
        """Botocore is about to check the parameters of a call."""
        process = process_of(sys._getframe(1))
        if not process or context.get("is_presign_request"):
            return
        if not context["client_config"].parameter_validation:
            raise AssertionError(f"{model.name} of {process} is sent unchecked: parameter_validation is off")
        if model.name not in NEEDED:
            raise AssertionError(f"{process} calls {model.name}: say in tests/grants/actions.py what it needs")
        self._note(process, NEEDED[model.name](params))

    def signature(self, method: str, key: str, query: Mapping[str, str]) -> None:
        if process := process_of(sys._getframe(2)):
            self._note(process, signed(method, key, query))

    def _note(self, process: str, needed: Iterable[tuple[str, str]]) -> None:
        self.asked.update(Grant(process, action, resource) for action, resource in needed)

    @property
    def missing(self) -> list[Grant]:
        return sorted(self.asked - self.listed)

    @property
    def unused(self) -> list[Grant]:
        return sorted(self.listed - self.asked)
