"""Sentences of the domain in the reader's language.

Services, workers and the API speak English, and write it into rows: programs read it too. What a page shows of it is
looked up here, and in mail: as it is, else by its form, such as `{name} is on hold. Release the hold first.`
"""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from django.utils.translation import get_language, gettext

FORMS: Final = Path(__file__).with_name("sentences.json")
"""Written by `manage.py translations`."""
_PLACE: Final = re.compile(r"\{([a-z_0-9]+)\}")


def said(sentence: object) -> str:
    """What nobody has translated, such as a step's own words, stays as it is."""
    return _said(str(sentence), get_language() or "en")


@lru_cache(maxsize=4_096)
def _said(text: str, language: str) -> str:
    if not text or language.startswith("en"):
        return text
    if (known := gettext(text)) != text:
        return known
    for form, pattern in _forms():
        if found := pattern.fullmatch(text):
            values = {name: _value(name, value, language) for name, value in found.groupdict().items()}
            return gettext(form).format(**values)
    return text


def _value(name: str, value: str, language: str) -> str:
    """A sentence within the sentence, or a role. Anything else is somebody's own word."""
    if name == "choices" and " or " in value:
        several, _, last = value.rpartition(" or ")
        return gettext("%(several)s or %(last)s") % {"several": several, "last": last}
    is_ours = value.endswith((".", "?")) or name.startswith("role") or name == "submitter"
    return _said(value, language) if is_ours else value


@cache
def _forms() -> list[tuple[str, re.Pattern[str]]]:
    """The most particular first: in another, what is particular to it could pass for a value."""
    forms = [form for form in json.loads(FORMS.read_text()) if _PLACE.search(form)]
    forms.sort(key=lambda form: len(_PLACE.sub("", form)), reverse=True)
    return [(form, re.compile(_pattern(form), re.DOTALL)) for form in forms]


def _pattern(form: str) -> str:
    pieces = _PLACE.split(form)
    return "".join(f"(?P<{piece}>.+?)" if at % 2 else re.escape(piece) for at, piece in enumerate(pieces))
