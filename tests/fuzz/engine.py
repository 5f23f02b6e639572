"""Schemathesis over the document of the API, against a server that runs, as one kind of caller."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import schemathesis
from schemathesis.config._checks import NEGATIVE_DATA_REJECTION_EXPECTED_STATUSES as REFUSALS
from schemathesis.engine import Status, events, from_schema

from api_app.main import app
from tests.fuzz.excuses import Answered, excuse_for

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from schemathesis.engine.recorder import CheckNode, ScenarioRecorder

    from tests.fuzz.world import World

SEED: Final = 20261129
PHASES: Final = ("examples", "coverage", "fuzzing", "stateful")


@dataclass
class Findings:
    requests: int = 0
    operations: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)
    said: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """One of each kind."""

    def take(self, event: events.EngineEvent) -> None:
        if isinstance(event, events.ScenarioFinished):
            self._scenario(event.recorder)
        elif isinstance(event, events.NonFatalError):
            self.said[event.label, event.info.title, ""] = event.info.message
        elif isinstance(event, events.FatalError):
            raise event.exception

    def _scenario(self, recorder: ScenarioRecorder) -> None:
        for interaction in recorder.interactions.values():
            self.requests += 1
            if interaction.response is not None:
                self.statuses[interaction.response.status_code] += 1
        self.operations |= {node.value.operation.definition.raw["operationId"] for node in recorder.cases.values()}
        for case_id, checks in recorder.checks.items():
            for check in checks:
                if check.status == Status.FAILURE:
                    self._failure(recorder, case_id, check)

    def _failure(self, recorder: ScenarioRecorder, case_id: str, check: CheckNode) -> None:
        info = check.failure_info
        if info is None:
            raise TypeError("a failure without a word")
        case, seen = recorder.cases[case_id].value, recorder.interactions.get(info.failure.case_id or case_id)
        body = seen.response.text if seen and seen.response else ""
        name = case.operation.definition.raw["operationId"]
        answered = Answered(name, check.name, seen.request.uri if seen else "", body, info.failure.message)
        if excuse := excuse_for(answered):
            self.excused[excuse] += 1
            return
        key = (case.operation.label, check.name, info.failure.message[:60])
        self.said.setdefault(key, f"{info.failure.message[:700]}\n    {info.code_sample[:700]}\n    {body[:500]}")

    def report(self) -> str:
        return "\n".join(f"* {where}: {check}: {said}" for (where, check, _), said in self.said.items())


@schemathesis.hook
def before_call(_context: object, case: schemathesis.Case[Any], _kwargs: dict[str, Any]) -> None:
    """A wait that is a good one would last; what is no good one is sent as it is."""
    wait = case.query.get("wait")
    if isinstance(wait, int | str) and str(wait).isdigit() and 0 < int(wait) <= 60:
        case.query["wait"] = type(wait)(0)


def _config(
    url: str, tokens: Mapping[str, str], phases: Collection[str], examples: int, seed: int, coverage: str
) -> Any:
    return schemathesis.Config.from_dict({
        "seed": seed,
        "base-url": url,
        "continue-on-failure": True,
        "request-timeout": 30,
        "generation": {"max-examples": examples, "deterministic": True, "database": "none", "no-shrink": True},
        "phases": {name: {"enabled": name in phases} for name in PHASES}
        | {"coverage": {"enabled": "coverage" in phases, "generation": {"mode": coverage}}},
        # The document says nothing of how large a body and how long an address may be: 413 and 414 are refusals too.
        "checks": {"negative_data_rejection": {"expected-statuses": [*REFUSALS, "413", "414"]}},
        "suppress-health-check": ["all"],
        "cache": {"enabled": False},
        **({"auth": {"openapi": {name: {"bearer": token} for name, token in tokens.items()}}} if tokens else {}),
    })  # fmt: skip


def fuzz(
    world: World,
    url: str,
    caller: str,
    *,
    operations: Collection[str] = (),
    phases: Collection[str] = PHASES[:3],
    examples: int = 5,
    seed: int = SEED,
    coverage: str = "all",
) -> Findings:
    """`examples` in each of the phases that make them up; `coverage`: of good data, of bad data or of all."""
    token = world.tokens.get(caller)
    tokens = {"token": token, "runner": world.runner if caller == "owner" else token} if token else {}
    schema: schemathesis.BaseSchema = schemathesis.openapi.from_dict(
        world.fitted(app.openapi()), config=_config(url, tokens, phases, examples, seed, coverage)
    )
    if operations:
        schema = schema.include(operation_id=list(operations))
    found = Findings()
    for event in from_schema(schema).execute():
        found.take(event)
    return found
