"""In which language, in which numbers and at whose clock a page is written."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from django.http import QueryDict
from django.utils import timezone, translation

from frontend_app import words
from frontend_app.forms import PREFIX, read_params
from orchestration import figures
from orchestration.models import Job, User
from orchestration.sentences import said
from tests.factories import make_file, make_job
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.models import Workspace

pytestmark = pytest.mark.django_db

AT = datetime(2026, 12, 3, 1, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _speak_english_again() -> Iterator[None]:
    yield
    translation.deactivate()
    timezone.deactivate()


def test_page_is_in_the_language_of_the_browser() -> None:
    page = browser().get("/login/", headers={"Accept-Language": "pt-BR,en;q=0.5"})
    assert '<html lang="pt-BR"' in page.content.decode()
    assert "Nome de usuário ou e-mail" in page.content.decode()
    assert "Accept-Language" in page["Vary"]


def test_language_that_nobody_speaks_here_is_answered_in_english() -> None:
    page = browser().get("/login/", headers={"Accept-Language": "tlh"})
    assert '<html lang="en"' in page.content.decode()


def test_choice_before_signing_in_is_kept_by_the_browser() -> None:
    client = browser()
    answer = client.post("/language/", {"language": "pt-br", "next": "/login/?next=/jobs/"})
    assert answer["Location"] == "/login/?next=/jobs/"
    assert "Entrar" in client.get("/login/", headers={"Accept-Language": "en"}).content.decode()


def test_choice_leads_to_no_other_site() -> None:
    answer = browser().post("/language/", {"language": "pt-br", "next": "https://evil.example/"})
    assert answer["Location"] == "/"


def test_choice_of_the_account_counts_before_that_of_the_browser(owner: User, lab: Workspace) -> None:
    client = browser(owner)
    client.post("/language/", {"language": "pt-br"})
    owner.refresh_from_db()
    assert owner.language == "pt-br"
    elsewhere = browser(owner)
    assert "Novo job" in elsewhere.get("/jobs/", headers={"Accept-Language": "en"}).content.decode()


def test_language_that_there_is_not_cannot_be_chosen(owner: User, lab: Workspace) -> None:
    assert browser(owner).post("/language/", {"language": "xx"}).status_code == 404
    owner.refresh_from_db()
    assert owner.language == ""


def test_profile_keeps_name_language_and_time_zone(owner: User, lab: Workspace) -> None:
    client = browser(owner)
    given = {"name": " Ana Souza ", "language": "pt-br", "time_zone": "America/Sao_Paulo"}
    answer = client.post("/account/profile/", given, follow=True)
    html = answer.content.decode()
    assert "Salvo." in html
    assert 'data-time-zone="America/Sao_Paulo"' in html
    assert 'value="Ana Souza"' in html
    owner.refresh_from_db()
    assert (owner.get_full_name(), owner.language, owner.time_zone) == ("Ana Souza", "pt-br", "America/Sao_Paulo")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"time_zone": "Mars/Olympus"}, "There is no such time zone."),
        ({"language": "xx"}, "Esteira does not speak that language."),
        ({"name": "x" * 151}, "A name has at most 150 characters"),
        ({"name": "a\u202eb"}, "all of which can be seen"),
    ],
)
def test_profile_refuses_what_there_is_not(owner: User, lab: Workspace, wrong: dict[str, str], why: str) -> None:
    given = {"name": "", "language": "", "time_zone": ""} | wrong
    html = browser(owner).post("/account/profile/", given, follow=True).content.decode()
    assert why in html
    owner.refresh_from_db()
    assert (owner.first_name, owner.language, owner.time_zone) == ("", "", "")


def test_times_are_at_the_reader_s_clock(owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab)
    Job.objects.update(created_at=AT)
    assert ">2026-12-03 01:30 UTC</time>" in browser(owner).get(f"/jobs/{job.pk}/").content.decode()
    User.objects.update(language="pt-br", time_zone="America/Sao_Paulo")
    html = browser(owner).get(f"/jobs/{job.pk}/").content.decode()
    assert '<time datetime="2026-12-03T01:30:00Z">02/12/2026 22:30 -03</time>' in html


def test_next_reader_does_not_get_the_clock_of_the_last(owner: User, stranger: User, lab: Workspace) -> None:
    User.objects.filter(pk=owner.pk).update(time_zone="Asia/Tokyo", language="pt-br")
    browser(owner).get("/jobs/")
    html = browser(stranger).get("/jobs/").content.decode()
    assert '<html lang="en">' in html


def test_zone_that_was_renamed_since_is_utc(owner: User, lab: Workspace) -> None:
    User.objects.update(time_zone="Europe/Atlantis")
    assert browser(owner).get("/account/").status_code == 200


@pytest.mark.parametrize(
    ("number", "one", "other"),
    [
        (0, "0 files", "0 arquivo"),
        (1, "1 file", "1 arquivo"),
        (2, "2 files", "2 arquivos"),
        (1_234, "1,234 files", "1.234 arquivos"),
    ],
)
def test_numbers_have_their_form(number: int, one: str, other: str) -> None:
    assert words.files(number) == one
    with translation.override("pt-br"):
        assert words.files(number) == other


def test_sizes_days_and_money_are_written_as_readers_write_them() -> None:

    assert (figures.size_words(1_536), figures.day(AT)) == ("1.5 KiB", "3 Dec 2026")
    assert figures.money(Decimal("1234.5")) == "$1,234.50"
    with translation.override("pt-br"):
        assert (figures.size_words(1_536), figures.day(AT)) == ("1,5 KiB", "3 de dez. de 2026")
        assert figures.money(Decimal("1234.5")) == "US$ 1.234,50"


def test_numbers_for_the_browser_stay_the_browser_s(owner: User, lab: Workspace) -> None:
    """A comma in the share of a bar or in a place of a drawing would be no number at all."""
    User.objects.update(language="pt-br")
    lab.quota_bytes = 10_000
    lab.save(update_fields=["quota_bytes"])
    make_file(lab, owner, size=1_234)
    job = make_job(owner, lab, state="RUNNING")
    client = browser(owner)
    for path in ("/files/usage/", "/home/storage/", f"/jobs/{job.pk}/", "/jobs/"):
        html = client.get(path).content.decode()
        assert not re.findall(r'\s(?:value|max|min|x|y|x1|x2|y1|y2|width|height|d)="[^"]*\d,\d+"', html), path


def test_sentence_of_the_domain_is_found_again_with_its_values() -> None:
    stored = "a, b.csv is on hold. Release the hold first."
    assert said(stored) == stored
    with translation.override("pt-br"):
        assert said(stored) == "a, b.csv está protegido. Retire a proteção antes."
        assert said("There is no such job that you may see.") == "Não existe esse job entre os que você pode ver."
        assert said("ValueError: what a step has said {name}") == "ValueError: what a step has said {name}"


def test_refusal_of_a_service_is_in_the_reader_s_language(owner: User, lab: Workspace) -> None:
    User.objects.update(language="pt-br")
    file = make_file(lab, owner, hold=True)
    html = browser(owner).post(f"/files/{file.pk}/delete/", follow=True).content.decode()
    assert "está protegido. Retire a proteção antes." in html


def test_api_speaks_english_to_programs(owner: User, lab: Workspace) -> None:
    """What the pages' middleware has chosen does not reach it: it never runs there."""
    from orchestration.errors import JobFinished

    with translation.override("pt-br"):
        assert str(JobFinished()) == "The job has already finished."


def test_words_of_scripts_come_once_and_are_kept() -> None:
    page = browser().get("/login/", headers={"Accept-Language": "pt-BR"}).content.decode()
    found = re.search(r'src="(/words/[^"]+)"', page)
    assert found
    script = browser().get(found[1])
    assert script["Cache-Control"] == "public, max-age=31536000, immutable"
    assert script["Content-Type"].startswith("text/javascript")
    assert "Reconectando" in script.content.decode()
    assert "Reconectando" not in browser().get(found[1].replace("pt-br", "en")).content.decode()
    old = browser().get("/words/pt-br.0123456789ab.js")
    assert old["Cache-Control"] == "no-store"
    assert browser().get("/words/xx.0123456789ab.js").status_code == 404


@pytest.mark.parametrize(
    ("rule", "given", "says"),
    [
        ({"type": "integer", "minimum": 1_000}, "5", "Deve ser pelo menos 1000; você informou 5"),
        ({"type": "integer", "maximum": 3}, "5", "Deve ser no máximo 3; você informou 5"),
        ({"type": "number", "exclusiveMinimum": 5}, "5", "Deve ser maior que 5; você informou 5"),
        ({"type": "number", "exclusiveMaximum": 5}, "5", "Deve ser menor que 5; você informou 5"),
        ({"type": "integer"}, "many", 'Deve ser um número inteiro; você informou "many"'),
        ({"type": "number"}, "many", 'Deve ser um número; você informou "many"'),
        ({"type": "string", "enum": ["jpeg", "png"]}, "gif", 'Deve ser um de jpeg ou png; você informou "gif"'),
        ({"type": "string", "enum": ["jpeg", "png"]}, "jpg", 'você quis dizer "jpeg"?'),
        ({"type": "string", "minLength": 3}, "ab", "Deve ter pelo menos 3 caracteres; este tem 2"),
        ({"type": "string", "maxLength": 1}, "ab", "Deve ter no máximo 1 caractere; este tem 2"),
        ({"type": "string"}, "\x07", "Contém caracteres de controle"),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, "1", "pelo menos 2 itens; este tem 1"),
        ({"type": "array", "items": {"type": "integer"}, "maxItems": 1}, "1,2", "no máximo 1 item; este tem 2"),
        ({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}, "1,1", "1 aparece mais de uma vez"),
        ({"type": "array", "items": {"type": "integer"}}, "[1", "Deve ser uma lista"),
        ({"type": "array", "items": {"type": "integer"}}, "1,x", "X[1] deve ser um número inteiro"),
        ({"type": "array", "items": {"type": "integer", "minimum": 2}}, "1", "X[0] deve ser pelo menos 2"),
        ({"type": "integer"}, "", "Está faltando"),
    ],
)
def test_fault_of_a_parameter_is_said_in_the_reader_s_language(rule: dict[str, Any], given: str, says: str) -> None:
    schema = {"type": "object", "properties": {"x": rule}, "required": ["x"]}
    fault = read_params(schema, QueryDict(urlencode({PREFIX + "x": given}))).errors["x"]
    assert said(fault) == fault
    with translation.override("pt-br"):
        assert says in said(fault)
