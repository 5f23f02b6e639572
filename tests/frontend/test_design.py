"""The design system: its page, its tokens, and that nothing on pages goes round them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.urls import get_resolver, reverse

from frontend_app.design_tokens import groups_of, icons_of
from frontend_app.navigation import SECTIONS
from tests.factories import join, make_user
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from orchestration.models import User, Workspace

APP = Path(__file__).resolve().parents[2] / "frontend_app"
STATIC = APP / "static" / "frontend_app"
SHEETS = {sheet.name: sheet.read_text() for sheet in STATIC.glob("*.css")}
TOKENS = {token.name: token for group in groups_of(SHEETS["tokens.css"]) for token in group.tokens}
PAGES = {page.relative_to(APP): page.read_text() for page in (APP / "templates").rglob("*.html")}
ON_GROUNDS = [(ink, ground) for ink in ("ink", "muted", "link", "bad") for ground in ("paper", "surface")]
PAIRS = [*ON_GROUNDS, *((state, f"{state}-bg") for state in ("good", "bad", "busy", "wait", "calm"))]
PAIRS += [
    ("ink", "sunken"),
    ("on-solid", "solid"),
    ("on-solid", "solid-hover"),
    ("code-ink", "code"),
    ("ink", "bad-bg"),
]
PAIRS += [("diff-in", "code"), ("diff-out", "code")]
PAIRS += [("code-muted", "code"), ("code-ink", "code-mark"), ("on-amber", "amber"), ("muted", "bad-bg")]

OF_THEIR_OWN = {"frame.html", "inside.html", "text.html"}
"""What a file is shown in: sandboxed, with a policy that lets this style in and nothing else."""


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * one for one in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_stands_out_from_its_ground_by_day_and_by_night(text: str, ground: str) -> None:
    for theme in ("light", "dark"):
        bright, dim = sorted((luminance(getattr(TOKENS[one], theme)) for one in (text, ground)), reverse=True)
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, theme


@pytest.mark.parametrize("name", SHEETS)
def test_sheets_use_tokens_that_there_are(name: str) -> None:
    used = set(re.findall(r"var\(--([a-z-]+)", SHEETS[name]))
    made = set(re.findall(r"--([a-z-]+):", SHEETS[name])) | set(re.findall(r"--(i-[a-z]+):", SHEETS["icons.css"]))
    assert used <= TOKENS.keys() | made


@pytest.mark.parametrize("name", SHEETS)
def test_sheets_say_no_words_and_ask_for_none(name: str) -> None:
    of_one_language = r'content: "[^"]*[A-Za-z]{2}|\[(data-label|aria-label|title)[~|^$*]?='
    assert not re.search(of_one_language, SHEETS[name])


def test_every_token_is_used_and_says_what_for() -> None:
    used = set(re.findall(r"var\(--([a-z-]+)", "".join(SHEETS.values())))
    assert TOKENS.keys() <= used
    assert all(token.means for token in TOKENS.values())


def test_icons_on_pages_are_in_the_sheet() -> None:
    used = {name for text in PAGES.values() for name in re.findall(r"\{% icon \"([a-z]+)\" %\}", text)}
    assert used <= set(icons_of(SHEETS["icons.css"]))


@pytest.mark.parametrize("path", [path for path in PAGES if path.name not in OF_THEIR_OWN], ids=str)
def test_no_page_brings_script_or_style_in_line(path: Path) -> None:
    """The browser would not run them: the policy forbids it."""
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\son[a-z]+=|\sstyle=|javascript:", PAGES[path])


def test_nothing_is_fetched_from_elsewhere() -> None:
    for text in (*SHEETS.values(), *PAGES.values()):
        assert not re.search(r"(?:src|url\(|@import)\W{0,2}(?:https?:)?//", text)
    for font in re.findall(r'url\("(vendor/[^"]+)"\)', SHEETS["tokens.css"]):
        assert (STATIC / font).read_bytes()[:4] == b"wOF2"


def test_sections_are_pages_that_there_are() -> None:
    names = set(get_resolver().reverse_dict)
    assert SECTIONS.keys() | set(SECTIONS.values()) <= names


@pytest.mark.django_db
def test_design_page_shows_tokens_and_components_to_those_who_build(owner: User, lab: Workspace) -> None:
    staff = make_user("sara", is_staff=True)
    join(staff, lab)
    html = browser(staff).get("/design/").content.decode()
    for name in ("--paper", "--text-xl", "--radius"):
        assert f"<code>{name}</code>" in html
    assert html.count('data-state="SUCCEEDED"') == 4
    assert browser(owner).get("/design/").status_code == 404
    assert browser().get("/design/").status_code == 302


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("home", "Home"),
        ("job-new", "New job"),
        ("job-list", "Jobs"),
        ("service-account-list", "Settings"),
        ("token-list", "Settings"),
        ("settings", "Settings"),
    ],
)
def test_bar_says_where_one_is(manager: User, name: str, entry: str) -> None:
    html = browser(manager).get(reverse(name)).content.decode()
    assert re.findall(r"<a [^>]*aria-current=\"(?:page|true)\">([^<]+)</a>", html.split("</nav>")[0]) == [entry]
