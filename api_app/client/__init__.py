"""The Python client of Esteira: `from api_app.client import Client`. It talks HTTP and nothing else."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api_app.client.async_client import AsyncClient
    from api_app.client.client import Client
    from api_app.client.errors import EsteiraError, ProblemError, UnreachableError
    from api_app.client.uploads.outgoing import Outcome, Outgoing

__all__ = ["AsyncClient", "Client", "EsteiraError", "Outcome", "Outgoing", "ProblemError", "UnreachableError"]
_HOMES = {
    "AsyncClient": "async_client",
    "Client": "client",
    "Outcome": "uploads.outgoing",
    "Outgoing": "uploads.outgoing",
}


def __getattr__(name: str) -> object:
    # On first use only: httpx takes longer to import than `esteira --help` may take altogether.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
