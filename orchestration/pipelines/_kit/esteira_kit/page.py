"""The shell of every report: one self-contained HTML file, written section by section."""

from collections.abc import Iterable, Sequence

from esteira_kit.css import CSS
from esteira_kit.markup import Child, Html, join, tag
from esteira_kit.step import output

# Tells a browser that opens the saved file what the platform's own header says: nothing is loaded, nothing runs.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

_BELT = Html(
    '<svg viewBox="0 0 28 16" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2">'
    '<rect x="1" y="5" width="26" height="10" rx="5"/><circle cx="6.5" cy="10" r="1"/>'
    '<circle cx="14" cy="10" r="1"/><circle cx="21.5" cy="10" r="1"/>'
    '<path d="M9 1h6v2.5H9z" fill="currentColor" stroke="none"/></svg>'
)


def write_page(
    name: str,
    *,
    pipeline: str,
    title: str,
    lead: Child,
    facts: Sequence[tuple[str, str]],
    sections: Iterable[Child],
) -> None:
    """Sections are taken one at a time, so a gallery of 2,000 images never stands whole in memory."""
    with output(name).open("w", encoding="utf-8", errors="replace") as sink:
        sink.write(_head(title))
        sink.write(_top(pipeline, title, lead, facts))
        sink.write("<main>\n")
        for section in sections:
            sink.write(join(section, Html("\n")))
        sink.write("</main>\n")
        sink.write(tag("footer", "Made by Esteira. This file is complete in itself: it loads nothing.", class_="foot"))
        sink.write("\n</body>\n</html>\n")


def _head(title: str) -> Html:
    return join(
        Html('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n'),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        Html('\n<meta name="viewport" content="width=device-width, initial-scale=1"/>\n'),
        tag("title", title),
        Html(f"\n<style>{CSS}</style>\n</head>\n<body>\n"),
    )


def _top(pipeline: str, title: str, lead: Child, facts: Sequence[tuple[str, str]]) -> Html:
    pairs = [tag("div", tag("dt", label), tag("dd", value)) for label, value in facts]
    return tag(
        "header",
        tag("p", _BELT, tag("b", "Esteira"), " ", pipeline, class_="kicker"),
        tag("h1", title),
        tag("p", lead, class_="lead"),
        tag("dl", pairs, class_="facts") if pairs else None,
        class_="top",
    )
