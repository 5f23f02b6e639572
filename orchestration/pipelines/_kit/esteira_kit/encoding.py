"""Which text encoding a file has, told from all of its bytes in one pass."""

import codecs
from typing import NamedTuple

_HEAD = 4096
# Control characters that text files do hold: tab, line feed, vertical tab, form feed, return, escape, Ctrl-Z.
_TEXT_BYTES = bytes(sorted({0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x1A, 0x1B} | set(range(0x20, 0x100)) - {0x7F}))
_UNDEFINED_IN_CP1252 = bytes([0x81, 0x8D, 0x8F, 0x90, 0x9D])
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with byte order mark"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32 LE"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32 BE"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16 LE"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16 BE"),
)


class Text(NamedTuple):
    codec: str
    label: str
    crlf: int
    lf: int
    cr: int

    @property
    def breaks(self) -> int:
        return self.crlf + self.lf + self.cr


class TextSniffer:
    """Feed it every chunk; `result()` is None for a file that is not text."""

    def __init__(self) -> None:
        self._codec = ""
        self._label = ""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._is_binary = False
        self._is_ascii = True
        self._has_undefined_in_cp1252 = False
        self._crlf = self._lf = self._cr = 0
        self._last = ""

    def feed(self, chunk: bytes) -> None:
        if self._is_binary or not chunk:
            return
        if not self._codec:
            self._begin(chunk)
        if self._codec in {"utf-16", "utf-32", "utf-16-le", "utf-16-be"}:
            self._feed_wide(chunk)
        else:
            self._feed_bytes(chunk)

    def result(self) -> Text | None:
        if self._is_binary or not self._codec:
            return None
        if self._codec.startswith(("utf-16", "utf-32")):
            self._feed_wide(b"", is_final=True)
        else:
            self._end_bytes()
        if self._last == "\r":
            self._cr += 1
            self._last = ""
        return self._named()

    def _named(self) -> Text | None:
        if self._is_binary:
            return None
        codec, label = self._name()
        return Text(codec, label, self._crlf, self._lf, self._cr)

    def _begin(self, chunk: bytes) -> None:
        for bom, codec, label in _BOMS:
            if chunk.startswith(bom):
                self._codec, self._label = codec, label
                break
        else:
            self._codec, self._label = _wide_without_bom(chunk[:_HEAD]) or ("utf-8", "UTF-8")
        self._decoder = codecs.getincrementaldecoder(self._codec)("strict")

    def _feed_wide(self, chunk: bytes, *, is_final: bool = False) -> None:
        assert self._decoder is not None  # noqa: S101 - _begin has run
        try:
            text = self._decoder.decode(chunk, is_final)
        except UnicodeDecodeError:
            self._is_binary = True
            return
        self._is_binary = "\0" in text
        self._count(text.count("\r\n"), text.count("\n"), text.count("\r"), text[:1], text[-1:])

    def _feed_bytes(self, chunk: bytes) -> None:
        if chunk.translate(None, _TEXT_BYTES):
            self._is_binary = True
            return
        if not chunk.isascii():
            self._is_ascii = False
            self._has_undefined_in_cp1252 |= chunk.translate(None, _UNDEFINED_IN_CP1252) != chunk
        if self._decoder is not None:
            try:
                self._decoder.decode(chunk)
            except UnicodeDecodeError:
                self._decoder = None
        self._count(chunk.count(b"\r\n"), chunk.count(b"\n"), chunk.count(b"\r"), chr(chunk[0]), chr(chunk[-1]))

    def _end_bytes(self) -> None:
        if self._decoder is not None:
            try:
                self._decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                self._decoder = None

    def _count(self, crlf: int, lf: int, cr: int, first: str, last: str) -> None:
        if self._last == "\r":
            # The chunk before ended in a return: only now is it clear which kind of break that was.
            if first == "\n":
                self._crlf += 1
                lf -= 1
            else:
                self._cr += 1
        self._crlf += crlf
        self._lf += lf - crlf
        self._cr += cr - crlf - (last == "\r")
        self._last = last or self._last

    def _name(self) -> tuple[str, str]:
        if self._codec not in {"utf-8", "utf-8-sig"}:
            return self._codec, self._label
        if self._decoder is None:
            if self._has_undefined_in_cp1252:
                return "latin-1", "ISO 8859-1 or another 8-bit encoding"
            return "cp1252", "Windows-1252 or another 8-bit encoding"
        if self._is_ascii and self._codec == "utf-8":
            return "utf-8", "ASCII"
        return self._codec, self._label


def _wide_without_bom(head: bytes) -> tuple[str, str] | None:
    """UTF-16 of mostly western text has a zero in every other byte."""
    half = len(head) // 2
    if half < 2:  # noqa: PLR2004
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 0.4 * half and even < 0.05 * half:
        return "utf-16-le", "UTF-16 LE without byte order mark"
    if even > 0.4 * half and odd < 0.05 * half:
        return "utf-16-be", "UTF-16 BE without byte order mark"
    return None
