"""What is to be translated, read from the sources, and the catalogues that say it in other languages.

Three kinds: what templates and Python mark with gettext, what scripts mark, and sentences of the domain. Those are
written in English into rows and API answers; `orchestration.sentences` finds them again when a page shows one.
"""

from __future__ import annotations

import ast
import io
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.utils.translation import to_locale
from django.utils.translation.template import templatize

from orchestration.spec.sentences import FAULTS
from orchestration.states import FAILURE_SAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from babel.messages.catalog import Catalog

ROOT: Final = Path(settings.BASE_DIR)
HOME: Final = ROOT / "project" / "locale"
SENTENCES: Final = ROOT / "orchestration" / "sentences.json"
PACKAGES: Final = ("frontend_app", "orchestration", "project")
DOMAINS: Final = ("django", "djangojs")
NO_DAY: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""So that compiling twice gives the same bytes."""
NOT_OURS: Final = ("/vendor/", "orchestration/pipelines/", "orchestration/runner/", "/migrations/", "/services/tasks/")
MARKS: Final = {
    "_": None, "gettext": None, "gettext_lazy": None, "gettext_noop": None,
    "ngettext": (1, 2), "ngettext_lazy": (1, 2), "worded": None, "counted": (1, 2),
    "pgettext": ((1, "c"), 2), "pgettext_lazy": ((1, "c"), 2), "npgettext": ((1, "c"), 2, 3),
}  # fmt: skip
# Sentences of the domain that pages show; the others are for programs and operators.
SPEAK: Final = ("errors.py", "execution", "models/job.py", "models/pause.py", "search.py", "services", "webhooks")
SPEAK_TO_PROGRAMS: Final = frozenset(
    [
        "budget_notice",
        "claims",
        "concat",
        "complete",
        "create",
        "engine_events",
        "events",
        "letter",
        "outputs",
        "parts",
        "pipelines",
        "post_text",
        "received",
        "redirect",
        "redrive",
        "references",
        "runner",
        "runs",
        "scan_results",
        "signing",
        "stream",
        "webhook_notice",
    ]
)
_PLACE: Final = re.compile(r"%\([a-z_]+\)[sd]|\{[a-z_]*\}|%[sd]")
_OF_THE_DAY: Final = re.compile(
    rb'#|"(?:POT-Creation-Date|PO-Revision-Date|Last-Translator|Language-Team|Report-Msgid-Bugs-To|Generated-By):'
)
# It may end in another one.
_SENTENCE: Final = re.compile(r"(?:[A-Z]|\{).* .*(?:[.?]|: \{\w+\})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Message:
    one: str
    many: str
    context: str
    place: str
    """The file it is said in."""

    @property
    def id(self) -> str | tuple[str, str]:
        return (self.one, self.many) if self.many else self.one


def po_file(language: str, domain: str) -> Path:
    return HOME / to_locale(language) / "LC_MESSAGES" / f"{domain}.po"


def others() -> list[str]:
    """Languages that need a catalogue."""
    return [code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE]


def _sources(*suffixes: str) -> Iterator[tuple[Path, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            place = f"/{path.relative_to(ROOT)}"
            if path.suffix in suffixes and not any(part in place for part in NOT_OURS):
                yield path, place[1:]


@cache
def messages(domain: str) -> tuple[Message, ...]:
    if domain == "djangojs":
        return tuple(one for path, place in _sources(".js") for one in _in_code(path.read_bytes(), place, "javascript"))
    marked = [one for path, place in _sources(".py") for one in _in_code(path.read_bytes(), place, "python")]
    for path, place in _sources(".html", ".txt"):
        # As code with what is no call blanked out; only the indentation would not be Python's.
        code = templatize(path.read_text(), origin=place)
        marked += _in_code("\n".join(line.lstrip() for line in code.split("\n")).encode(), place, "python")
    # Data that knows no Django.
    marked += [Message(one, "", "", "orchestration/states.py") for pair in FAILURE_SAYS.values() for one in pair]
    return tuple(marked) + tuple(Message(one, "", "", place) for one, place in sentences().items())


def _in_code(code: bytes, place: str, kind: str) -> Iterator[Message]:
    from babel.messages.extract import extract  # noqa: PLC0415  a development tool, absent in production

    options = {"parse_template_string": True}  # of scripts, which also speak within `…`
    for _, said, _, context in extract(kind, io.BytesIO(code), MARKS, options=options):
        one, many = said if isinstance(said, tuple) else (said, "")
        yield Message(one, many, context or "", place)


@cache
def sentences() -> dict[str, str]:
    """Each with the file it is in; a value that stands in it is a name in braces."""
    found = dict.fromkeys(FAULTS, "orchestration/spec/sentences.py")
    for path, place in _sources(".py"):
        if not place.startswith(tuple(f"orchestration/{one}" for one in SPEAK)) or path.stem in SPEAK_TO_PROGRAMS:
            continue
        tree = ast.parse(path.read_text())
        texts = _docstrings(tree) if path.name == "errors.py" else _texts(tree)
        found |= {text: place for text in texts if _SENTENCE.fullmatch(text) and text not in found}
    return found


def _docstrings(tree: ast.Module) -> Iterator[str]:
    """Default messages of the exceptions."""
    return (said for node in tree.body if isinstance(node, ast.ClassDef) if (said := ast.get_docstring(node)))


def _texts(tree: ast.Module) -> Iterator[str]:
    nodes = list(ast.walk(tree))
    inner = {part for node in nodes if isinstance(node, ast.JoinedStr) for part in ast.walk(node) if part is not node}
    inner |= {node.value for node in nodes if isinstance(node, ast.Expr)}  # docstrings
    for node in nodes:
        if isinstance(node, ast.JoinedStr) and node not in inner:
            yield _with_places(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inner:
            yield node.value


def _with_places(text: ast.JoinedStr) -> str:
    said, names = "", list[str]()
    for part in text.values:
        if isinstance(part, ast.Constant):
            said += str(part.value)
        elif isinstance(part, ast.FormattedValue):
            words = re.findall(r"[a-z]+", ast.unparse(part.value).lower())
            name = words[-1] if words else "value"
            names.append(name)
            said += f"{{{name}}}" if names.count(name) == 1 else f"{{{name}_{names.count(name)}}}"
    return said


def catalogue(language: str, domain: str) -> Catalog:
    from babel.messages.pofile import read_po  # noqa: PLC0415  as above

    with po_file(language, domain).open("rb") as file:
        return read_po(file, locale=to_locale(language), domain=domain)


def renew(language: str, domain: str) -> None:
    """The catalogue with what the sources say now; what nobody says any more goes. And its compiled form."""
    from babel.messages.catalog import Catalog  # noqa: PLC0415  as above
    from babel.messages.pofile import write_po  # noqa: PLC0415  as above

    fresh = Catalog(locale=to_locale(language), domain=domain, project="Esteira", charset="utf-8")
    old = catalogue(language, domain) if po_file(language, domain).exists() else fresh
    # As gettext and Django have it; what the Unicode consortium says of Portuguese has a form for millions.
    fresh.mime_headers = [("Plural-Forms", "nplurals=2; plural=(n > 1);")]
    for one in messages(domain):
        known = old.get(one.id, one.context or None)
        places = [(one.place, 0)]
        fresh.add(one.id, known.string if known else None, locations=places, context=one.context or None)
    path = po_file(language, domain)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = io.BytesIO()
    write_po(written, fresh, width=120, include_lineno=False)
    path.write_bytes(_undated(written.getvalue()))
    path.with_suffix(".mo").write_bytes(compiled(language, domain))
    if domain == "django":
        SENTENCES.write_text(listed_sentences())


def compiled(language: str, domain: str) -> bytes:
    """What gettext reads; it is kept beside its source, so that no machine needs a tool to run Esteira."""
    from babel.messages.mofile import write_mo  # noqa: PLC0415  as above

    known, written = catalogue(language, domain), io.BytesIO()
    known.creation_date = known.revision_date = NO_DAY
    write_mo(written, known)
    return written.getvalue()


def listed_sentences() -> str:
    return json.dumps(sorted(sentences()), indent=0, ensure_ascii=False) + "\n"


def _undated(text: bytes) -> bytes:
    """Who wrote it when is in the history; here it would be a conflict of every two branches."""
    head, _, rest = text.partition(b"\n\n")
    kept = [line for line in head.split(b"\n") if not _OF_THE_DAY.match(line)]
    return b"\n".join(kept) + b"\n\n" + rest


def missing(language: str, domain: str) -> list[str]:
    """What a reader of that language would find in English or find wrong: one line each, empty when all is well."""
    known = catalogue(language, domain) if po_file(language, domain).exists() else None
    return list(
        dict.fromkeys(f"{one.place}: {why}: {one.one!r}" for one in messages(domain) if (why := wrong(known, one)))
    )


def wrong(known: Catalog | None, one: Message) -> str:
    found = known.get(one.id, one.context or None) if known else None
    string = found.string if found else ""
    said = [string] if isinstance(string, str) else list(string or ())
    if found is None or not said or not all(said):
        return "not translated"
    if found.fuzzy:
        return "fuzzy"
    wanted = set(_PLACE.findall(one.many or one.one))
    # Of several forms one may leave the number out, and none may name what is not there.
    here = [set(_PLACE.findall(form)) for form in said]
    if not all(places <= wanted for places in here) or wanted not in here:
        return "other placeholders"
    return ""
