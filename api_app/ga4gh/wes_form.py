"""The form of WES's RunWorkflow: texts, some of them JSON, and files that come along."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from api_app.auth import identify
from api_app.database import in_db, in_files
from api_app.ga4gh.wes_schemas import ENGINE, TYPE, TYPE_VERSION, RunForm
from api_app.gate import credential
from orchestration.errors import Invalid
from orchestration.services.receiving import Announced, Receiving, receive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from starlette.datastructures import FormData
    from starlette.requests import Request

    from api_app.gate import Credential

MOST_FILES: Final = 1_000
MOST_TEXTS: Final = 20
BLOCK: Final = 1 << 20
ATTACHMENT: Final = "workflow_attachment"
_JSON: Final = frozenset({"workflow_params", "tags", "workflow_engine_parameters"})
_OFFERED: Final = {
    "workflow_type": TYPE,
    "workflow_type_version": TYPE_VERSION,
    "workflow_engine": ENGINE,
}


@asynccontextmanager
async def run_form(request: Request) -> AsyncIterator[tuple[RunForm, dict[str, UploadFile]]]:
    """What is asked for, and the attachments by name. They are gone afterwards."""
    async with request.form(max_files=MOST_FILES + MOST_TEXTS, max_fields=MOST_TEXTS) as form:
        yield await _read(form), _attachments(form)


async def _read(form: FormData) -> RunForm:
    found: dict[str, Any] = {}
    for name, value in form.multi_items():
        if name in RunForm.model_fields:
            found[name] = _parsed(name, await _text(name, value))
    try:
        run = RunForm.model_validate(found)
    except ValidationError as exc:
        errors = exc.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in errors]) from exc
    for name, offered in _OFFERED.items():
        if getattr(run, name).casefold() != offered.casefold():
            raise Invalid(f"{name} is {getattr(run, name)[:100]!r}; here it is {offered!r}.")
    return run


async def _text(name: str, value: UploadFile | str) -> str:
    """Some clients send every field as if it were a file."""
    if isinstance(value, str):
        return value
    try:
        return (await value.read(BLOCK)).decode()
    except UnicodeDecodeError as exc:
        raise Invalid(f"{name} is not a text in UTF-8.") from exc


def _parsed(name: str, text: str) -> Any:
    if name not in _JSON:
        return text
    try:
        return json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as exc:
        raise Invalid(f"{name} is not JSON: {exc}.") from exc


def _attachments(form: FormData) -> dict[str, UploadFile]:
    files: dict[str, UploadFile] = {}
    for value in form.getlist(ATTACHMENT):
        if not isinstance(value, UploadFile) or not value.filename:
            raise Invalid(f"A {ATTACHMENT} has no file name. Send it with `filename` in its Content-Disposition.")
        if value.filename in files:
            raise Invalid(f"Two attachments are called {value.filename[:200]!r}. Give each a name of its own.")
        files[value.filename] = value
    return files


async def keep(request: Request, name: str, sent: UploadFile, workspace: str) -> UUID:
    """One attachment, kept as any uploaded file is. The token needs the scope `upload` for that."""
    receiving = await in_db(_begin, credential(request), name, sent.size, workspace)
    try:
        return await in_files(_pour, sent, receiving)
    finally:
        # After a commit there is nothing left to discard; in every other case the bytes must not stay.
        await in_files(receiving.discard)


def _begin(given: Credential, name: str, size: int | None, workspace: str) -> Receiving:
    folder, _, bare = name.rpartition("/")
    user = identify(given, "upload").user
    return receive(user=user, announced=Announced(name=bare, path=folder, size=size), workspace=workspace)


def _pour(sent: UploadFile, receiving: Receiving) -> UUID:
    while block := sent.file.read(BLOCK):
        receiving.write(block)
    file_id = receiving.commit().file_id
    if file_id is None:
        raise TypeError("a complete upload has a file")
    return file_id
