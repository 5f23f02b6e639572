"""What is refused to whoever came with a token or a ticket stands in the audit log, whichever route it was."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from api_app.database import in_db
from api_app.errors import answer
from api_app.gate import TUS, credential_of
from orchestration.errors import Forbidden, OutsideToken
from orchestration.services.sign_ins import note_refusal
from orchestration.services.tickets import read_ticket
from orchestration.services.tokens import valid_token

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from api_app.gate import Credential
    from orchestration.errors import OrchestrationError

NOTED: Final = (Forbidden, OutsideToken)


def install(app: FastAPI) -> None:
    """After the answers to all other errors: these are told by the nearest class, and have a handler of their own."""
    for cls in NOTED:
        app.add_exception_handler(cls, noted_answer)


async def noted_answer(request: Request, exc: Exception) -> Response:
    """As `answer`, which is enough where no refusal can be."""
    await note(request, exc)
    return answer(exc)


async def note(request: Request, exc: Exception) -> None:
    given = credential_of(request.scope)
    if given is not None and isinstance(exc, NOTED):
        # The route and not the path: some paths hold what nobody should read in a log.
        await in_db(partial(_note, given, f"{request.method} {_route(request)}", exc))


def _route(request: Request) -> str:
    """Doors that are no route of FastAPI's are told by their own address."""
    return getattr(request.scope.get("route"), "path", TUS)


def _note(given: Credential, what: str, exc: OrchestrationError) -> None:
    """Of somebody who is known: a ticket that is not good is nobody's, and steps are no people."""
    if given.scheme == "ticket":
        try:
            user, _ = read_ticket(given.secret)
        except Forbidden:
            return
        note_refusal(user=user, what=what, exc=exc)
    elif given.scheme == "bearer" and (token := valid_token(token=given.secret)) is not None:
        note_refusal(user=token.user, what=what, exc=exc, token=token)
