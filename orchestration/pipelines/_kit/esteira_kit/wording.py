"""Numbers, sizes and counts as people read them."""

import math

NOTHING, TIMES = "\N{EN DASH}", "\N{MULTIPLICATION SIGN}"
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_KIB = 1024
_LARGE, _SMALL = 1e15, 1e-4


def size(count: int) -> str:
    if count < _KIB:
        return f"{count:,} byte" if count == 1 else f"{count:,} bytes"
    power = min(int(math.log(count, _KIB)), len(_UNITS) - 1)
    return f"{count / _KIB**power:,.1f} {_UNITS[power]}"


def number(value: float | None, digits: int = 4) -> str:
    """At most `digits` significant places after the point, thousands apart, no noise."""
    if value is None:
        return NOTHING
    if isinstance(value, int) or (math.isfinite(value) and value == int(value) and abs(value) < _LARGE):
        return f"{int(value):,}"
    if not math.isfinite(value):
        return "∞" if value > 0 else "-∞" if value < 0 else "not a number"
    if abs(value) >= _LARGE or abs(value) < _SMALL:
        return f"{value:.3g}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{min(places, 8)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def short(value: float | None) -> str:
    """For narrow places: millions and beyond in words, the rest as `number` writes it."""
    if value is not None and math.isfinite(value):
        for unit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
            if unit <= abs(value) < 1000 * unit:
                return f"{number(float(f'{value / unit:.4g}'))} {letter}"
    return number(value)


def plural(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def percent(part: float, whole: float) -> str:
    if not whole or not part:
        return "0%"
    share = 100 * part / whole
    if share < 0.1:  # noqa: PLR2004
        return "<0.1%"
    # Rounding up to 100 would say that nothing is missing when something is.
    return "99.9%" if 99.9 < share < 100 else f"{share:.3g}%"  # noqa: PLR2004
