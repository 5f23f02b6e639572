"""Whatever a page may say is said in every language."""

from __future__ import annotations

import json

import pytest
from babel.messages.catalog import Catalog

from project.translations import (
    DOMAINS,
    SENTENCES,
    Message,
    catalogue,
    compiled,
    listed_sentences,
    messages,
    missing,
    others,
    po_file,
    wrong,
)

HINT = "Run `manage.py translations`, say in the .po files what it lists, and run it once more (docs/languages.md)."
PLACES = [(language, domain) for language in others() for domain in DOMAINS]


@pytest.mark.parametrize(("language", "domain"), PLACES)
def test_every_string_is_translated(language: str, domain: str) -> None:
    assert missing(language, domain) == [], HINT


@pytest.mark.parametrize(("language", "domain"), PLACES)
def test_nothing_is_translated_that_nobody_says(language: str, domain: str) -> None:
    said = {(one.context, one.one) for one in messages(domain)}
    kept = {(m.context or "", m.id if isinstance(m.id, str) else m.id[0]) for m in catalogue(language, domain) if m.id}
    assert kept <= said, HINT


@pytest.mark.parametrize(("language", "domain"), PLACES)
def test_compiled_catalogue_is_that_of_its_source(language: str, domain: str) -> None:
    assert po_file(language, domain).with_suffix(".mo").read_bytes() == compiled(language, domain), HINT


def test_list_of_sentences_is_that_of_the_code() -> None:
    assert SENTENCES.read_text() == listed_sentences(), HINT
    assert "{name} is on hold. Release the hold first." in json.loads(SENTENCES.read_text())


@pytest.mark.parametrize(
    ("translation", "why"),
    [
        (None, "not translated"),
        ("", "not translated"),
        ("%(numero)s na fila", "other placeholders"),
        ("na fila", "other placeholders"),
        ("%(number)s na fila", ""),
    ],
)
def test_wrong_translation_is_seen(translation: str | None, why: str) -> None:
    known = Catalog(locale="pt_BR")
    if translation is not None:
        known.add("%(number)s in line", translation)
    assert wrong(known, Message("%(number)s in line", "", "", "a.html")) == why


def test_guess_is_no_translation() -> None:
    known = Catalog(locale="pt_BR")
    known.add("In line", "Na fila", flags=["fuzzy"])
    assert wrong(known, Message("In line", "", "", "a.html")) == "fuzzy"


def test_each_form_of_a_number_is_translated() -> None:
    known = Catalog(locale="pt_BR")
    known.mime_headers = [("Plural-Forms", "nplurals=2; plural=(n > 1);")]
    one = Message("%(n)s file", "%(n)s files", "", "a.html")
    known.add(one.id, ("%(n)s arquivo", ""))
    assert wrong(known, one) == "not translated"
    known.delete("%(n)s file")
    known.add(one.id, ("um arquivo", "%(n)s arquivos"))
    assert wrong(known, one) == ""


def test_strings_are_found_in_templates_code_scripts_and_the_domain() -> None:
    places = {one.place.rpartition(".")[2] for domain in DOMAINS for one in messages(domain)}
    assert places == {"html", "py", "js"}
    said = {one.one for one in messages("django")}
    assert {"Sign in", "Saved.", "Cancel %(shown)s job", "{name} is on hold. Release the hold first."} <= said
    assert {"Live", "%(number)s file added.", "%(time)s left"} <= {one.one for one in messages("djangojs")}
