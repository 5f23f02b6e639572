"""The clients of the engine's services, one of each: made once, used by any thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, Literal

import boto3

from orchestration.aws import pinned
from orchestration.engines.step_functions.faults import translated

if TYPE_CHECKING:
    from orchestration.engines.step_functions.cell import Cell

CONNECT_S: Final = 3
READ_S: Final = 15
ATTEMPTS: Final = 3
CONNECTIONS: Final = 32

# boto3's session is not made for two threads at once; its clients are.
_MAKING: Final = threading.Lock()

type Service = Literal["stepfunctions", "batch", "logs", "s3"]


class Clients:
    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._made: dict[Service, Any] = {}

    def __getitem__(self, service: Service) -> Any:
        with _MAKING:
            if service not in self._made:
                self._made[service] = self._make(service)
            return self._made[service]

    def _make(self, service: Service) -> Any:
        with translated():
            return boto3.client(
                service,
                region_name=self._cell.region,
                endpoint_url=self._cell.endpoint or None,
                config=pinned(connect_s=CONNECT_S, read_s=READ_S, attempts=ATTEMPTS, max_pool_connections=CONNECTIONS),
            )
