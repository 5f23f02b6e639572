"""HTML by construction: text is escaped unless it was made here."""

from collections.abc import Iterable
from html import escape

_VOID = frozenset({"img", "meta"})

type Child = str | Html | Iterable[Child] | None


class Html(str):
    """Markup that is already safe. Everything else that reaches a page is escaped."""

    __slots__ = ()


def text(value: str) -> Html:
    """Escape, and show what could reorder or hide the text around it (U+202E and its kin)."""
    if not value.isprintable():
        value = "".join(
            letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in value
        )
    return Html(escape(value))


def join(*children: Child) -> Html:
    parts: list[str] = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Html):
            parts.append(child)
        elif isinstance(child, str):
            parts.append(text(child))
        else:
            parts.append(join(*child))
    return Html("".join(parts))


def tag(name: str, *children: Child, **attributes: str | float | None) -> Html:
    """An element. `class_` and `for_` lose their underscore, others turn it into a dash."""
    written = "".join(
        f' {_attribute(key)}="{text(str(value))}"' for key, value in attributes.items() if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{written}/>")
    return Html(f"<{name}{written}>{join(*children)}</{name}>")


def _attribute(key: str) -> str:
    # SVG spells two attributes with a capital; a browser does not know them otherwise.
    if key in {"viewBox", "preserveAspectRatio"}:
        return key
    return key.rstrip("_").replace("_", "-")
