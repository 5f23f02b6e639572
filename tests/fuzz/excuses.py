"""Where one of Schemathesis' checks is wrong for this API: each with what makes it so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from jsonschema import Draft202012Validator

from api_app.main import app

if TYPE_CHECKING:
    from collections.abc import Callable


class Answered(NamedTuple):
    operation: str
    check: str
    url: str
    body: str
    message: str

    @property
    def said(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def rule_of_the_domain(one: Answered) -> bool:
    """No schema says that a deadline has passed or a pipeline takes no such file. What the form forbids, it says."""
    said = one.said if isinstance(one.said, dict) else {}
    words = str(said.get("detail", said.get("msg", "")))
    return one.check == "positive_data_acceptance" and bool(words) and not words.startswith("The request does not fit")


def chosen_fields(one: Answered) -> bool:
    """No schema says that `fields` leaves out what is there otherwise. All the rest of it must fit."""
    if one.check != "response_schema_conformance" or "fields" not in parse_qs(urlsplit(one.url).query):
        return False
    name = {"list_jobs": "JobListed", "show_job": "JobShown"}.get(one.operation)
    said = one.said
    if name is None or not isinstance(said, dict):
        return False
    components = app.openapi()["components"]
    schema = {**components["schemas"][name], "required": [], "components": components}
    rows = said["items"] if one.operation == "list_jobs" else [said]
    return all(Draft202012Validator(schema).is_valid(row) for row in rows)


def file_of_json(one: Answered) -> bool:
    """With a `name` in the address the body is the file, whatever it holds."""
    return one.check == "negative_data_rejection" and one.operation == "create_upload_or_file" and "name=" in one.url


EXCUSES: Final[tuple[Callable[[Answered], bool], ...]] = (
    rule_of_the_domain,
    chosen_fields,
    file_of_json,
)


def excuse_for(one: Answered) -> str:
    return next((excuse.__name__ for excuse in EXCUSES if excuse(one)), "")
