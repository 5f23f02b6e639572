"""Step `sheet`: contact sheet, gallery, summary and the table of camera data over all images."""

import base64
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from esteira_kit import charts, parts, sheets, step, wording
from esteira_kit.index import Index, read_index
from esteira_kit.markup import Child, Html, tag
from esteira_kit.page import write_page
from PIL import Image

from image_set.contact_sheet import Picture, write_pages

MOST_SHOWN = 2000
# The more images, the smaller each is embedded: the page stays at some 10 MB whatever the set.
_EMBEDDED = ((120, 256, 78), (500, 192, 72), (MOST_SHOWN, 144, 66))
_LAYOUT_BOUNDS = ((0.95, "portrait"), (1.05, "square"), (float("inf"), "landscape"))
_MANY_MONTHS = 36


class Shot(NamedTuple):
    facts: dict[str, Any]
    thumbnail: Path


def main() -> None:
    index = read_index()
    progress = step.Progress()
    shots = [
        Shot(facts := item.json("_intermediate/image.json"), item.files[facts["thumbnail"]].path)
        for item in index.items("resize")
    ]
    pages = write_pages([Picture(shot.facts["name"], shot.thumbnail) for shot in shots], progress)
    _write_table(shots, with_position=not step.params()["strip_gps"])
    write_page(
        "gallery.html",
        pipeline="Prepare a set of images",
        title=wording.plural(len(shots), "image"),
        lead=_lead(shots, pages),
        facts=[
            ("Images", wording.number(len(shots))),
            ("Originals", wording.size(sum(shot.facts["bytes"] for shot in shots))),
            ("Cameras", wording.number(len({camera for shot in shots if (camera := _camera(shot))}))),
            ("Megapixels", wording.number(sum(_pixels(shot) for shot in shots) / 1e6, 3)),
        ],
        sections=_sections(shots, index, progress),
    )
    progress(1, "Done")


def _lead(shots: Sequence[Shot], pages: Sequence[str]) -> str:
    days = sorted(taken[:10] for shot in shots if (taken := shot.facts["camera"].get("taken_at")))
    when = "" if not days else f"Taken on {days[0]}. " if days[0] == days[-1] else f"Taken {days[0]} to {days[-1]}. "
    sheet = f"The contact sheet has {wording.plural(len(pages), 'page')}." if pages else ""
    return when + sheet


def _write_table(shots: Sequence[Shot], *, with_position: bool) -> None:
    keys = ["taken_at", "make", "model", "lens", "exposure_s", "f_number", "iso", "focal_length_mm", "orientation"]
    keys += ["software", "artist", "copyright", *(["latitude", "longitude"] if with_position else [])]
    header = ["file", "format", "width", "height", "bytes", "frames", *keys]
    rows = (
        [
            *[shot.facts[key] for key in ("name", "form")],
            *shot.facts["size"],
            shot.facts["bytes"],
            shot.facts["frames"],
            *[shot.facts["camera"].get(key) for key in keys],
        ]
        for shot in shots
    )
    sheets.write_csv("exif.csv", header, rows)


def _sections(shots: Sequence[Shot], index: Index, progress: step.Progress) -> Iterator[Child]:
    yield parts.failures(index.failed_items)
    if not shots:
        return
    hidden = sum(bool(shot.facts["camera"].get("has_position")) for shot in shots)
    if hidden and step.params()["strip_gps"]:
        yield parts.note(
            f"{wording.plural(hidden, 'image')} told where it was taken. "
            if hidden == 1
            else f"{wording.plural(hidden, 'image')} told where they were taken. ",
            "The positions were left out of everything here; the originals still have them.",
        )
    if len(shots) > 1:
        yield _overview(shots)
    yield Html('<section><h2>Gallery</h2><ul class="gallery">')
    edge, quality = next(((e, q) for most, e, q in _EMBEDDED if len(shots) <= most), _EMBEDDED[-1][1:])
    for place, shot in enumerate(shots[:MOST_SHOWN]):
        progress(0.5 + 0.5 * place / len(shots), f"Gallery {place} of {len(shots)}")
        yield _picture(shot, edge, quality)
    yield Html("</ul></section>")
    if len(shots) > MOST_SHOWN:
        yield parts.note(f"The first {MOST_SHOWN:,} images are shown; exif.csv and the contact sheet have all.")


def _overview(shots: Sequence[Shot]) -> Html:
    cameras = Counter(_camera(shot) or "not told" for shot in shots)
    forms = Counter(f"{_form(shot)}, {_layout(shot)}" for shot in shots)
    cards = [
        _counted("Cameras", cameras, len(shots)) if set(cameras) != {"not told"} else None,
        _sizes(shots),
        _counted("Formats and shapes", forms, len(shots)),
        _months(shots),
        _settings(shots),
    ]
    return parts.section("At a glance", tag("div", cards, class_="cards even"))


def _counted(title: str, counts: Counter[str], total: int) -> Html:
    rows = [(name, count, wording.number(count)) for name, count in counts.most_common(8)]
    return tag("div", tag("h3", title), charts.bars(rows, label=title, full=total), class_="card")


def _sizes(shots: Sequence[Shot]) -> Html:
    bounds = (0.3, 1, 2, 4, 8, 12, 16, 24, 50, 100)
    counts = [0] * len(bounds)
    for shot in shots:
        counts[next((place for place, most in enumerate(bounds) if _pixels(shot) <= most * 1e6), -1)] += 1
    names = [f"up to {most} megapixels" for most in bounds]
    drawing = charts.histogram(
        counts, label="Images by megapixels", axis=[wording.number(most) for most in bounds], names=names
    )
    return tag("div", tag("h3", "Sizes"), tag("p", "Megapixels, up to", class_="sub"), drawing, class_="card")


def _months(shots: Sequence[Shot]) -> Html | None:
    months = sorted(taken[:7] for shot in shots if (taken := shot.facts["camera"].get("taken_at")))
    if not months or months[0] == months[-1]:
        return None
    spans = list(_calendar(months[0], months[-1]))
    if len(spans) > _MANY_MONTHS:
        months, spans = [month[:4] for month in months], sorted({month[:4] for month in spans})
    counts = Counter(months)
    drawing = charts.histogram(
        [counts[span] for span in spans], label="Images by date", axis=(spans[0], spans[-1]), names=spans
    )
    return tag("div", tag("h3", "Dates"), drawing, class_="card")


def _calendar(first: str, last: str) -> Iterator[str]:
    year, month = int(first[:4]), int(first[5:7])
    while f"{year:04}-{month:02}" <= last:
        yield f"{year:04}-{month:02}"
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)  # noqa: PLR2004


def _settings(shots: Sequence[Shot]) -> Html | None:
    speeds = Counter(f"ISO {wording.number(speed)}" for shot in shots if (speed := shot.facts["camera"].get("iso")))
    return _counted("Film speed", speeds, len(shots)) if speeds else None


def _picture(shot: Shot, edge: int, quality: int) -> Html:
    facts = shot.facts
    width, height = facts["size"]
    taken = facts["camera"].get("taken_at", "")[:10]
    return tag(
        "li",
        tag("span", _embedded(shot.thumbnail, edge, quality, facts["name"]), class_="frame"),
        tag("b", facts["name"], title=facts["name"]),
        f"{width:,} {wording.TIMES} {height:,}",
        f", {wording.plural(facts['frames'], 'frame')}" if facts["frames"] > 1 else "",
        f" · {taken}" if taken else f" · {_form(shot)}",
    )


def _embedded(path: Path, edge: int, quality: int, name: str) -> Html:
    with Image.open(path) as image:
        image.thumbnail((edge, edge), Image.Resampling.LANCZOS)
        small = io.BytesIO()
        image.save(small, "JPEG", quality=quality, optimize=True)
        data = base64.b64encode(small.getvalue()).decode()
        return tag("img", src=f"data:image/jpeg;base64,{data}", width=image.width, height=image.height, alt=name)


def _camera(shot: Shot) -> str:
    make, model = (shot.facts["camera"].get(key, "") for key in ("make", "model"))
    # Most makers repeat their name in the model's.
    first = make.split(" ", 1)[0].lower()
    return model if first and model.lower().startswith(first) else f"{make} {model}".strip()


def _form(shot: Shot) -> str:
    return {"WEBP": "WebP"}.get(shot.facts["form"], str(shot.facts["form"]))


def _layout(shot: Shot) -> str:
    width, height = shot.facts["size"]
    return next(name for most, name in _LAYOUT_BOUNDS if width / max(height, 1) < most)


def _pixels(shot: Shot) -> int:
    width, height = shot.facts["size"]
    return int(width * height)


if __name__ == "__main__":
    step.run(main)
