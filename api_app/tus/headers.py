"""What tus clients say in headers. Raises Invalid with the header's name."""

from __future__ import annotations

import base64
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from api_app.gate import TUS
from orchestration.errors import Invalid, NotFound
from orchestration.ids import uuid_or_none
from orchestration.models.upload import PARTIAL
from orchestration.services.uploads.create import Wanted

if TYPE_CHECKING:
    from uuid import UUID

    from orchestration.models import Upload

FINAL: Final = "final;"


def metadata(header: str) -> dict[str, str]:
    """`key base64,key base64`; a key alone has the value ""."""
    found = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        key, _, value = pair.partition(" ")
        try:
            found[key] = base64.b64decode(value.strip(), validate=True).decode()
        except ValueError as exc:  # no base64, or no UTF-8
            raise Invalid(f"Upload-Metadata: the value of {key[:50]} is not UTF-8 in base64.") from exc
    return found


def wanted(said: dict[str, str], size: int | None, *, name: str = "", content_type: str = "") -> Wanted:
    relative = said.get("relativePath", "")
    return Wanted(
        name=said.get("filename") or said.get("name") or name or "upload",
        size=size,
        path=relative.rpartition("/")[0] if relative not in {"", "null"} else "",
        content_type=said.get("filetype") or said.get("type") or content_type,
    )


def number(text: str, header: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19):  # noqa: PLR2004  digits of 2**63
        raise Invalid(f"{header} is a number of bytes; this is {text[:40]!r}.")
    return int(text)


def require_concat(header: str) -> None:
    if header not in {"", PARTIAL} and not header.startswith(FINAL):
        raise Invalid("Upload-Concat is `partial`, or `final;` and the addresses of partial uploads.")


def partial_ids(header: str) -> list[UUID]:
    """Of `final;<url> <url>`. Whose they are and whether they exist is for others to say."""
    return [_upload_id(url) for url in header.removeprefix(FINAL).split()]


def _upload_id(url: str) -> UUID:
    try:
        path = urlsplit(urljoin(TUS, url)).path
    except ValueError:
        path = ""
    found = uuid_or_none(path.removeprefix(f"{TUS}/"))
    if found is None:
        raise NotFound(f"There is no such partial upload of yours: {url[:200]}.")
    return found


def expires(upload: Upload) -> dict[str, str]:
    return {"upload-expires": format_datetime(upload.expires_at, usegmt=True)} if upload.expires_at else {}
