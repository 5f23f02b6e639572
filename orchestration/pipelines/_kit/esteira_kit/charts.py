"""Charts as SVG. Bars stretch with the page; words stay HTML, so they keep their size on a phone."""

from collections.abc import Sequence

from esteira_kit.markup import Child, Html, tag
from esteira_kit.wording import number

_HEIGHT = 100


def histogram(
    counts: Sequence[float],
    *,
    label: str,
    axis: Sequence[str] = (),
    names: Sequence[str] = (),
    caption: Child = None,
    is_low: bool = False,
    full_scale: float | None = None,
) -> Html:
    """Upright bars. `names` say what each bar stands for when the pointer rests on it."""
    tallest = full_scale or max(counts, default=0) or 1
    bars = [_bar(place, count / tallest, _named(names, place, count)) for place, count in enumerate(counts)]
    drawing = tag(
        "svg",
        bars,
        class_="plot low" if is_low else "plot",
        viewBox=f"0 0 {max(len(counts), 1) * 10} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )
    ticks = tag("div", [tag("span", tick) for tick in axis], class_="axis", aria_hidden="true") if axis else None
    return tag("figure", tag("figcaption", caption) if caption else None, drawing, ticks)


def _named(names: Sequence[str], place: int, count: float) -> str:
    return f"{names[place]}: {number(count)}" if place < len(names) else number(count)


def _bar(place: int, share: float, title: str) -> Html:
    # A bar of something is never drawn as nothing.
    height = max(share * _HEIGHT, 1.5) if share else 0
    return tag(
        "rect",
        tag("title", title),
        x=place * 10 + 0.5,
        y=f"{_HEIGHT - height:.2f}",
        width=9,
        height=f"{height:.2f}",
    )


def bars(
    rows: Sequence[tuple[str, float, str]], *, label: str, caption: Child = None, full: float | None = None
) -> Html:
    """Lying bars: a name, a length, and the value in words. `full` is the value of a bar from edge to edge."""
    longest = full or max((value for _, value, _ in rows), default=0) or 1
    items = [
        tag(
            "li",
            tag("span", name, class_="name", title=name),
            _lying(value / longest),
            tag("span", shown, class_="value"),
        )
        for name, value, shown in rows
    ]
    return tag(
        "figure",
        tag("figcaption", caption) if caption else None,
        tag("ul", items, class_="bars", aria_label=label),
    )


def _lying(share: float) -> Html:
    width = max(share * 100, 0.8) if share else 0
    return tag(
        "svg",
        tag("rect", width=f"{width:.2f}", height=1),
        viewBox="0 0 100 1",
        preserveAspectRatio="none",
        aria_hidden="true",
    )
