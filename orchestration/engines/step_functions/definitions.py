"""Job definitions: registered once for each step of a version, remembered with their revision, never taken back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Q
from django.db.models.functions import Now

from orchestration.engines.step_functions.definition import register_request
from orchestration.engines.step_functions.faults import translated
from orchestration.errors import EngineBusy, OrchestrationError
from orchestration.models import BatchJobDefinition
from orchestration.points import point

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestration.engines.step_functions.cell import Cell
    from orchestration.engines.step_functions.clients import Clients
    from orchestration.spec.model import StepSpec

# Longer than three tries of each of two calls.
CLAIM_LASTS: Final = timedelta(seconds=120)


class Definitions:
    def __init__(self, cell: Cell, clients: Clients) -> None:
        self._cell, self._clients = cell, clients
        self._rows = BatchJobDefinition.objects.filter(cell=cell.name)

    def arns(self, steps: Iterable[StepSpec], *, pipeline: str, version: str) -> dict[str, str]:
        """By the name of the step. What is not registered yet is registered now."""
        requests = {
            step.name: register_request(step, pipeline=pipeline, version=version, cell=self._cell) for step in steps
        }
        names = [request["jobDefinitionName"] for request in requests.values()]
        known = dict(self._rows.registered().filter(name__in=names).values_list("name", "arn"))
        return {
            step: known.get(request["jobDefinitionName"]) or self._register(request)
            for step, request in requests.items()
        }

    def _register(self, request: dict[str, Any]) -> str:
        """Claim, ask, record. One asks; whoever comes meanwhile comes again later."""
        name = request["jobDefinitionName"]
        row = self._rows.filter(name=name)
        BatchJobDefinition.objects.bulk_create(
            [BatchJobDefinition(cell=self._cell.name, name=name)], ignore_conflicts=True
        )
        free = Q(claimed_at=None) | Q(claimed_at__lt=Now() - CLAIM_LASTS)
        if row.filter(free, arn="").update(claimed_at=Now()):
            point("definition.claimed")
            try:
                arn = self._find(name) or self._ask(request)
            except OrchestrationError:
                row.filter(arn="").update(claimed_at=None)
                raise
            point("definition.registered")
            row.filter(arn="").update(arn=arn, claimed_at=None)
        if found := row.registered().values_list("arn", flat=True).first():
            return str(found)
        raise EngineBusy(f"Waiting for AWS. {name} is being registered.")

    def _find(self, name: str) -> str:
        """The first revision there is: somebody registered it, and died before it was written down."""
        with translated():
            pages = self._clients["batch"].get_paginator("describe_job_definitions")
            found = [
                definition
                for page in pages.paginate(jobDefinitionName=name, status="ACTIVE")
                for definition in page["jobDefinitions"]
            ]
        first = min(found, key=lambda definition: definition["revision"], default=None)
        return str(first["jobDefinitionArn"]) if first else ""

    def _ask(self, request: dict[str, Any]) -> str:
        with translated():
            return str(self._clients["batch"].register_job_definition(**request)["jobDefinitionArn"])
