"""Every page for everyone: axe-core finds nothing, in both themes and on a phone; nothing is too wide or moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest

from project.management.upload_states import upload_states
from tests.live.browsing import sign_in
from tests.live.keys import tab_through
from tests.live.walk import COLOURS, axe, go, inside, once, outside, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.live.platform import Platform

# A group: it has a platform of its own, so another worker may have the rest of the browser's tests meanwhile.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.xdist_group("everyone")]

DESK: Final[dict[str, Any]] = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}
PHONE: Final[dict[str, Any]] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
ZOOMED: Final = 320
"""Pixels that are left of 640 at 200 %, and of 1280 at the 400 % that WCAG 1.4.10 asks for."""
MOVING: Final = """() => document.getAnimations().filter((one) => one.playState === "running")
  .map((one) => one.effect.target?.className + " " + (one.animationName ?? one.transitionProperty))"""
FAULTY: Final = """<!doctype html><html lang="en"><title>x</title><main><h1>x</h1><img src="data:,">
<p style="color: #999; background: #fff">pale</p></main>"""

TABBED: Final = """<title>x</title><style>:focus { outline: 2px solid } .pale { outline: none !important }</style>
<a href="#">first</a> <a href="#" class="pale">pale</a>
<iframe srcdoc="<a href='#'>in</a> <a href='#'>there</a>"></iframe>
{links} <a href="#" class="pale">last</a>"""


@dataclass
class Seen:
    """By page, what is wrong there."""

    light: dict[str, list[str]] = field(default_factory=dict)
    dark: dict[str, list[str]] = field(default_factory=dict)
    wide: dict[str, list[str]] = field(default_factory=dict)
    moving: dict[str, list[str]] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)
    pages: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def shop() -> Iterator[Platform]:
    with shown() as platform:
        yield platform


@pytest.fixture(scope="module")
def at_a_desk(chrome: Browser, shop: Platform) -> Seen:
    seen = Seen()
    with chrome.new_context(**DESK) as context:
        page = context.new_page()
        for name in _pages(page, shop):
            _look(page, name, seen)
        for name in upload_states(page, shop.url):
            _look(page, name, seen)
            if name == "upload-unfinished":  # those after it are long, and show no other part
                break
    return seen


@pytest.fixture(scope="module")
def on_a_phone(chrome: Browser, shop: Platform) -> Seen:
    seen = Seen()
    with chrome.new_context(**PHONE) as context:
        page = context.new_page()
        for name in _pages(page, shop):
            seen.pages.add(name)
            seen.light[name] = axe(page)
            seen.wide[name] = [said for width in (390, ZOOMED) if (said := _too_wide(page, width))]
            page.set_viewport_size(PHONE["viewport"])
    return seen


def _pages(page: Page, shop: Platform) -> Iterator[str]:
    """The name of each while the page is there: of those outside first, by nobody."""
    for name, path in outside(shop).items():
        go(page, f"{shop.url}{path}")
        yield f"{name} (outside)"
    sign_in(page, shop, "/")
    for name, path in once(inside(shop)).items():
        answer = go(page, f"{shop.url}{path}")
        assert answer, name
        assert answer.status == (404 if name == "missing" else 200), name
        yield name


def _look(page: Page, name: str, seen: Seen) -> None:
    seen.pages.add(name)
    seen.moving[name] = page.evaluate(MOVING)
    seen.light[name] = axe(page)
    seen.keys[name] = tab_through(page)
    page.emulate_media(color_scheme="dark")
    # The admin fades from one theme to the other.
    page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished))")
    seen.dark[name] = axe(page, rules=COLOURS)
    page.emulate_media(color_scheme="light")


def _too_wide(page: Page, width: int) -> str:
    page.set_viewport_size({"width": width, "height": 844})
    needs = int(page.evaluate("document.documentElement.scrollWidth"))
    return f"needs {needs} px of {width}" if needs > width else ""


def _wrong(by_page: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: found for name, found in by_page.items() if found}


def test_axe_finds_nothing_in_the_light_theme(at_a_desk: Seen) -> None:
    assert _wrong(at_a_desk.light) == {}


def test_axe_finds_nothing_in_the_dark_theme(at_a_desk: Seen) -> None:
    assert _wrong(at_a_desk.dark) == {}


def test_axe_finds_nothing_on_a_phone_and_every_target_is_large_enough(on_a_phone: Seen) -> None:
    assert _wrong(on_a_phone.light) == {}


def test_no_page_is_wider_than_a_phone_nor_than_what_zoom_leaves(on_a_phone: Seen) -> None:
    assert _wrong(on_a_phone.wide) == {}


def test_tab_goes_from_top_to_bottom_of_every_page_and_is_seen_where_it_is(at_a_desk: Seen) -> None:
    assert _wrong(at_a_desk.keys) == {}


def test_nothing_moves_for_who_asked_for_rest(at_a_desk: Seen, page_in_motion: list[str]) -> None:
    assert page_in_motion, "for others, what runs turns"
    assert _wrong(at_a_desk.moving) == {}


@pytest.fixture
def page_in_motion(chrome: Browser, shop: Platform) -> list[str]:
    with chrome.new_context(reduced_motion="no-preference") as context:
        page = context.new_page()
        sign_in(page, shop, inside(shop)["job-running"])
        moving: list[str] = page.evaluate(MOVING)
        return moving


def test_faults_would_be_found(chrome: Browser, at_a_desk: Seen) -> None:
    with chrome.new_context(**DESK) as context:
        page = context.new_page()
        page.set_content(FAULTY)
        assert {fault.partition(":")[0] for fault in axe(page)} == {"image-alt", "color-contrast"}
    assert {"home", "job-running", "job-failed", "job-many", "upload-sending", "login (outside)"} <= at_a_desk.pages


def test_tab_finds_what_shows_no_ring_also_behind_a_frame_and_ends(chrome: Browser) -> None:
    with chrome.new_context(**DESK) as context:
        page = context.new_page()
        page.set_content(TABBED.replace("{links}", "<a href='#'>link</a> " * 50))
        assert tab_through(page) == ['no ring around a# "pale"', 'no ring around a# "last"']
