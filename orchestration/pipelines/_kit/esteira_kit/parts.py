"""The parts that reports are made of."""

from collections.abc import Iterable, Sequence

from esteira_kit.index import FailedItem
from esteira_kit.markup import Child, Html, tag
from esteira_kit.wording import plural

# Beyond this many a list in a page helps nobody; the CSV beside it has them all.
MOST_FAILURES = 500


def section(title: str, *body: Child, about: Child = None) -> Html:
    return tag("section", tag("h2", title), tag("p", about, class_="sub") if about else None, body)


def table(label: str, header: Sequence[str], rows: Iterable[Sequence[Child]], kinds: Sequence[str] = ()) -> Html:
    """`kinds` gives a class per column: `num` for numbers, `mono` for digests; the first column heads its row."""
    kinds = [*kinds, *[""] * (len(header) - len(kinds))]
    head = [
        tag("th", title, scope="col", class_=kind if kind == "num" else None)
        for title, kind in zip(header, kinds, strict=True)
    ]
    body = [_row(cells, kinds) for cells in rows]
    return tag(
        "div",
        tag("table", tag("thead", tag("tr", head)), tag("tbody", body)),
        class_="scroll",
        tabindex=0,
        role="region",
        aria_label=label,
    )


def _row(cells: Sequence[Child], kinds: Sequence[str]) -> Html:
    first, *others = cells
    return tag(
        "tr",
        tag("th", first, scope="row"),
        [tag("td", cell, class_=kind or None) for cell, kind in zip(others, kinds[1:], strict=True)],
    )


def pairs(rows: Iterable[tuple[str, Child]]) -> Html:
    return tag("dl", [(tag("dt", label), tag("dd", value)) for label, value in rows if value], class_="pairs")


def stats(rows: Iterable[tuple[str, str]], *, is_wide: bool = False) -> Html:
    cells = [tag("div", tag("dt", label), tag("dd", value)) for label, value in rows]
    return tag("dl", cells, class_="stats wide" if is_wide else "stats")


def note(*body: Child, kind: str = "") -> Html:
    return tag("p", body, class_=f"note {kind}".strip())


def tags(labels: Iterable[tuple[str, str]]) -> Html | None:
    """Small labels, each with a kind: empty, `warn` or `bad`."""
    items = [tag("li", label, class_=kind or None) for label, kind in labels]
    return tag("ul", items, class_="tags") if items else None


def details(summary: str, *body: Child, is_open: bool = False) -> Html:
    return tag("details", tag("summary", summary), body, **({"open": "open"} if is_open else {}))


def failures(failed: Sequence[FailedItem]) -> Html | None:
    """What could not be processed, each with the sentence its step gave."""
    if not failed:
        return None
    rest = len(failed) - MOST_FAILURES
    return section(
        f"{plural(len(failed), 'file')} could not be processed",
        table("Files that failed", ["File", "Why"], [(item.source, item.detail) for item in failed[:MOST_FAILURES]]),
        note(f"{plural(rest, 'more file')} failed; the job's page lists them all.", kind="warn") if rest > 0 else None,
        about="The other files are complete. A file that has been mended can be rerun alone.",
    )
