"""A person without a pointer: Tab, arrows, Enter, and a focus that is always in sight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

MOST_STOPS: Final = 1500
AT_ONCE: Final = 20
"""Keys, before the page is asked what it saw."""
_AT: Final = """() => {
  const node = document.activeElement;
  if (!node || node === document.body || node === document.documentElement) return null;
  const ringed = (one) => {
    const { outlineStyle, outlineWidth, boxShadow, stroke, strokeWidth } = getComputedStyle(one);
    return (outlineStyle !== "none" && parseFloat(outlineWidth) >= 2) || boxShadow.includes("inset")
      || (stroke !== "none" && parseFloat(strokeWidth) >= 2);
  };
  const shown = [node, node.closest("tr, .choice"), node.querySelector("rect")].filter(Boolean);
  const box = node.getBoundingClientRect();
  window.stops ??= new Map();
  window.stops.set(node, (window.stops.get(node) ?? 0) + 1);
  const words = (node.ariaLabel ?? node.textContent ?? "").trim().slice(0, 40);
  return {
    name: `${node.tagName.toLowerCase()}#${node.id} "${words}"`,
    // A frame's own document shows where the keyboard is in it.
    isSeen: node.tagName === "IFRAME" || (node.matches(":focus-visible") && shown.some(ringed)),
    isThere: box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth,
    times: window.stops.get(node),
  };
}"""
_TO_THE_TOP: Final = """() => {
  window.stops = new Map();
  document.activeElement?.blur();
  getSelection().removeAllRanges();
  scrollTo(0, 0);
}"""
_WATCH: Final = f"""() => {{
  window.tabbed = [];
  window.untab?.abort();
  window.untab = new AbortController();
  const at = {_AT};
  const options = {{ capture: true, signal: window.untab.signal }};
  addEventListener("keyup", (event) => {{ if (event.key === "Tab") window.tabbed.push(at()); }}, options);
  const frame = () => {{ if (document.activeElement?.tagName === "IFRAME") window.tabbed.push(at()); }};
  addEventListener("blur", (event) => {{ if (event.target === window) setTimeout(frame); }}, options);
}}"""
"""What is in a frame sees its keys alone: of it the page only hears that it has lost the keyboard to it."""


def at(page: Page) -> dict[str, Any] | None:
    """Where the keyboard is; None outside of the page's own elements."""
    found: dict[str, Any] | None = page.evaluate(_AT)
    return found


def tab_through(page: Page) -> list[str]:
    """From the top to the bottom with Tab: what took the focus and did not show it, and where one gets stuck."""
    faults: dict[str, None] = {}
    page.evaluate(_TO_THE_TOP)
    page.evaluate(_WATCH)
    for _ in range(0, MOST_STOPS, AT_ONCE):
        for here in _next_stops(page):
            if here is None or here["times"] > 1:
                page.evaluate(_TO_THE_TOP)
                return list(faults)
            if not here["isSeen"]:
                faults[f"no ring around {here['name']}"] = None
            if not here["isThere"]:
                faults[f"out of sight: {here['name']}"] = None
    return [*faults, f"no end after {MOST_STOPS} stops"]


def _next_stops(page: Page) -> list[dict[str, Any] | None]:
    """As the page itself saw them, which costs half of asking it each time. None: it lost the keyboard altogether."""
    for _ in range(AT_ONCE):
        page.keyboard.press("Tab")
    found: list[dict[str, Any] | None] = page.evaluate("() => window.tabbed.splice(0)")
    is_over = len(found) < AT_ONCE and at(page) is None
    return [*found, None] if is_over else found


def tab_to(page: Page, target: Locator, *, key: str = "Tab") -> None:
    """With Tab alone; where it goes is seen on the way."""
    page.evaluate("window.stops = new Map()")
    for _ in range(MOST_STOPS):
        if target.evaluate("node => node === document.activeElement"):
            return
        page.keyboard.press(key)
        here = at(page)
        assert here is None or here["isSeen"], f"no ring around {here and here['name']}"
        assert here is None or here["times"] < 3, f"{target} is not reached: round in a circle at {here}"
    raise AssertionError(f"{target} is not reached")


def press(page: Page, target: Locator, key: str = "Enter") -> None:
    tab_to(page, target)
    page.keyboard.press(key)
