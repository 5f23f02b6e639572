"""Names and types of output files. A name is what the step made it; what people see must be harmless."""

from __future__ import annotations

LONGEST_NAME = 1000
LONGEST_PART = 255
OTHER = "application/octet-stream"
TYPES = {
    "avif": "image/avif",
    "bmp": "image/bmp",
    "bz2": "application/x-bzip2",
    "css": "text/css",
    "csv": "text/csv",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "epub": "application/epub+zip",
    "feather": "application/vnd.apache.arrow.file",
    "arrow": "application/vnd.apache.arrow.file",
    "flac": "audio/flac",
    "geojson": "application/geo+json",
    "gif": "image/gif",
    "gz": "application/gzip",
    "htm": "text/html",
    "html": "text/html",
    "ico": "image/vnd.microsoft.icon",
    "ics": "text/calendar",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "js": "text/javascript",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "log": "text/plain",
    "md": "text/markdown",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "ndjson": "application/x-ndjson",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odt": "application/vnd.oasis.opendocument.text",
    "ogg": "audio/ogg",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "png": "image/png",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "rtf": "application/rtf",
    "sqlite": "application/vnd.sqlite3",
    "svg": "image/svg+xml",
    "tar": "application/x-tar",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "toml": "application/toml",
    "tsv": "text/tab-separated-values",
    "txt": "text/plain",
    "wav": "audio/wav",
    "webm": "video/webm",
    "webp": "image/webp",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "zip": "application/zip",
    "zst": "application/zstd",
}


def media_type(name: str) -> str:
    return TYPES.get(name.rpartition(".")[2].lower(), OTHER) if "." in name else OTHER


def clean(name: str) -> str:
    """The name in NFC, with `_` for control characters, direction marks, backslashes and broken text."""
    if not name.isascii():
        import unicodedata  # noqa: PLC0415

        name = unicodedata.normalize("NFC", name)
    return "/".join(_part(part) for part in name.split("/"))


def _part(part: str) -> str:
    part = "".join(character if _harmless(character) else "_" for character in part)
    if part != part.strip(" ") or part in ("", ".", ".."):
        part = "_" + part.strip(" ") + "_"
    if len(part.encode()) <= LONGEST_PART:
        return part
    stem, dot, ending = part.rpartition(".")
    ending = dot + ending if len(ending) <= len("geojson.gz") and stem else ""
    return part.encode()[: LONGEST_PART - len(ending.encode())].decode("utf-8", "ignore") + ending


def _harmless(character: str) -> bool:
    # isprintable() is False for control, format (bidi marks, zero-width joiners) and unassigned characters,
    # for lone surrogates, which stand for bytes that are no UTF-8, and for every space but the plain one.
    return character.isprintable() and character != "\\"


def numbered(name: str, number: int) -> str:
    """Turns a/b.txt into a/b-2.txt."""
    folder, slash, last = name.rpartition("/")
    stem, dot, ending = last.rpartition(".")
    if not stem:
        stem, dot, ending = last, "", ""
    return f"{folder}{slash}{stem}-{number}{dot}{ending}"
