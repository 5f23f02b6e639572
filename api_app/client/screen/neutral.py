"""Text from elsewhere, made harmless for a terminal: a file name must not move the cursor or retitle the window."""

import re
import textwrap

CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
C0_PICTURES = 0x2400
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_ALWAYS = (
    {code: C0_PICTURES + code for code in range(0x20)}
    | {0x7F: "\N{SYMBOL FOR DELETE}"}
    | dict.fromkeys(range(0x80, 0xA0), REPLACEMENT)
    # Marks that turn the direction of what follows make `gpj.exe` look like `exe.jpg`.
    | dict.fromkeys([0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)], REPLACEMENT)
    | dict.fromkeys(range(0xD800, 0xE000), REPLACEMENT)
)
_ONE_LINE = _ALWAYS | dict.fromkeys(map(ord, "\t\n\r"), " ")
_LINES = _ALWAYS | {ord("\t"): "\t", ord("\n"): "\n", ord("\r"): "\n"}


def one_line(text: object) -> str:
    return str(text).translate(_ONE_LINE)


def lines(text: str) -> str:
    """Tabs and line ends stay; colours go without a trace, everything else that is not printable becomes visible."""
    return CONTROL_SEQUENCE.sub("", text.replace("\r\n", "\n")).translate(_LINES)


def wrapped(text: str, width: int) -> str:
    """Lines of whole words; an address or a path stays in one piece."""
    return "\n".join(
        textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False, subsequent_indent=_indent(line))
        for line in lines(text).split("\n")
    )


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
