"""The true type of a file, from its content; its name is only ever compared with it."""

import os
from typing import NamedTuple


class Kind(NamedTuple):
    name: str
    media_type: str
    extensions: tuple[str, ...]


PLAIN = Kind("Plain text", "text/plain", ())
EMPTY = Kind("Empty file", "application/x-empty", ())
UNKNOWN = Kind("Unknown binary data", "application/octet-stream", ())
ZIP = Kind("ZIP archive", "application/zip", ("zip",))
TAR = Kind("tar archive", "application/x-tar", ("tar",))
_OOXML = "application/vnd.openxmlformats-officedocument"
_ODF = "application/vnd.oasis.opendocument"

# (offset, first bytes, kind). The first row that fits wins, so longer marks stand above shorter ones.
_MARKS: tuple[tuple[int, bytes, Kind], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", Kind("PNG image", "image/png", ("png", "apng"))),
    (0, b"\xff\xd8\xff", Kind("JPEG image", "image/jpeg", ("jpg", "jpeg", "jpe", "jfif", "mpo"))),
    (0, b"GIF87a", Kind("GIF image", "image/gif", ("gif",))),
    (0, b"GIF89a", Kind("GIF image", "image/gif", ("gif",))),
    (8, b"WEBP", Kind("WebP image", "image/webp", ("webp",))),
    (8, b"WAVE", Kind("WAVE audio", "audio/wav", ("wav",))),
    (8, b"AVI ", Kind("AVI video", "video/x-msvideo", ("avi",))),
    (0, b"II*\0", Kind("TIFF image", "image/tiff", ("tif", "tiff", "dng", "nef", "cr2", "arw"))),
    (0, b"MM\0*", Kind("TIFF image", "image/tiff", ("tif", "tiff", "dng", "nef", "cr2", "arw"))),
    (0, b"II+\0", Kind("BigTIFF image", "image/tiff", ("tif", "tiff"))),
    (0, b"8BPS", Kind("Photoshop document", "image/vnd.adobe.photoshop", ("psd",))),
    (4, b"ftypheic", Kind("HEIC image", "image/heic", ("heic", "heif"))),
    (4, b"ftypmif1", Kind("HEIF image", "image/heif", ("heif", "heic"))),
    (4, b"ftypavif", Kind("AVIF image", "image/avif", ("avif",))),
    (4, b"ftypqt", Kind("QuickTime video", "video/quicktime", ("mov", "qt"))),
    (4, b"ftyp", Kind("MP4 media", "video/mp4", ("mp4", "m4a", "m4v", "mov", "3gp"))),
    (0, b"\x1aE\xdf\xa3", Kind("Matroska or WebM media", "video/x-matroska", ("mkv", "webm", "mka"))),
    (0, b"OggS", Kind("Ogg media", "audio/ogg", ("ogg", "oga", "ogv", "opus"))),
    (0, b"fLaC", Kind("FLAC audio", "audio/flac", ("flac",))),
    (0, b"ID3", Kind("MP3 audio", "audio/mpeg", ("mp3",))),
    (0, b"%PDF-", Kind("PDF document", "application/pdf", ("pdf", "ai"))),
    (0, b"%!PS", Kind("PostScript document", "application/postscript", ("ps", "eps", "ai"))),
    (0, b"{\\rtf", Kind("Rich text", "application/rtf", ("rtf",))),
    (
        0,
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        Kind("Microsoft compound file (old Office)", "application/x-ole-storage", ("doc", "xls", "ppt", "msi", "msg")),
    ),
    (0, b"PAR1", Kind("Parquet table", "application/vnd.apache.parquet", ("parquet",))),
    (0, b"ARROW1", Kind("Arrow file", "application/vnd.apache.arrow.file", ("arrow", "feather"))),
    (0, b"Obj\x01", Kind("Avro data", "application/vnd.apache.avro", ("avro",))),
    (0, b"SQLite format 3\0", Kind("SQLite database", "application/vnd.sqlite3", ("sqlite", "sqlite3", "db"))),
    (8, b"DUCK", Kind("DuckDB database", "application/x-duckdb", ("duckdb", "db"))),
    (0, b"\x89HDF\r\n\x1a\n", Kind("HDF5 data", "application/x-hdf5", ("h5", "hdf5", "nc"))),
    (0, b"\x93NUMPY", Kind("NumPy array", "application/x-npy", ("npy",))),
    (0, b"PK\x03\x04", ZIP),
    (0, b"PK\x05\x06", ZIP),
    (257, b"ustar", TAR),
    (0, b"\x1f\x8b\x08", Kind("gzip data", "application/gzip", ("gz", "tgz", "svgz"))),
    (0, b"BZh", Kind("bzip2 data", "application/x-bzip2", ("bz2", "tbz2", "tbz"))),
    (0, b"\xfd7zXZ\0", Kind("xz data", "application/x-xz", ("xz", "txz"))),
    (0, b"\x28\xb5\x2f\xfd", Kind("Zstandard data", "application/zstd", ("zst", "zstd"))),
    (0, b"\x04\x22\x4d\x18", Kind("LZ4 data", "application/x-lz4", ("lz4",))),
    (0, b"7z\xbc\xaf\x27\x1c", Kind("7-Zip archive", "application/x-7z-compressed", ("7z",))),
    (0, b"Rar!\x1a\x07", Kind("RAR archive", "application/vnd.rar", ("rar",))),
    (0, b"!<arch>\n", Kind("Unix archive", "application/x-archive", ("a", "deb", "ar", "lib"))),
    (0, b"\x7fELF", Kind("ELF program or library", "application/x-elf", ("so", "o", "elf"))),
    (0, b"MZ", Kind("Windows program", "application/vnd.microsoft.portable-executable", ("exe", "dll", "sys"))),
    (0, b"\xca\xfe\xba\xbe", Kind("Java class or Mach-O program", "application/java-vm", ("class",))),
    (0, b"\0asm", Kind("WebAssembly module", "application/wasm", ("wasm",))),
    (0, b"wOF2", Kind("WOFF2 font", "font/woff2", ("woff2",))),
    (0, b"wOFF", Kind("WOFF font", "font/woff", ("woff",))),
    (0, b"OTTO", Kind("OpenType font", "font/otf", ("otf",))),
    (0, b"\0\1\0\0", Kind("TrueType font", "font/ttf", ("ttf",))),
    (0, b"\0\0\1\0", Kind("Windows icon", "image/x-icon", ("ico",))),
    (0, b"BM", Kind("BMP image", "image/bmp", ("bmp", "dib"))),
)

_IN_ZIP: tuple[tuple[str, Kind], ...] = (
    ("word/document.xml", Kind("Word document", f"{_OOXML}.wordprocessingml.document", ("docx", "docm"))),
    ("xl/workbook.xml", Kind("Excel workbook", f"{_OOXML}.spreadsheetml.sheet", ("xlsx", "xlsm"))),
    ("ppt/presentation.xml", Kind("PowerPoint slides", f"{_OOXML}.presentationml.presentation", ("pptx", "pptm"))),
    ("AndroidManifest.xml", Kind("Android package", "application/vnd.android.package-archive", ("apk",))),
    ("META-INF/MANIFEST.MF", Kind("Java archive", "application/java-archive", ("jar", "war"))),
)
_BY_MIMETYPE_ENTRY = {
    b"application/epub+zip": Kind("EPUB book", "application/epub+zip", ("epub",)),
    b"application/vnd.oasis.opendocument.text": Kind("OpenDocument text", f"{_ODF}.text", ("odt",)),
    b"application/vnd.oasis.opendocument.spreadsheet": Kind("OpenDocument sheet", f"{_ODF}.spreadsheet", ("ods",)),
    b"application/vnd.oasis.opendocument.presentation": Kind("OpenDocument slides", f"{_ODF}.presentation", ("odp",)),
}
_TEXT_MARKS: tuple[tuple[str, Kind], ...] = (
    ("<!doctype html", Kind("HTML page", "text/html", ())),
    ("<html", Kind("HTML page", "text/html", ())),
    ("<svg", Kind("SVG drawing", "image/svg+xml", ())),
    ("<?xml", Kind("XML document", "application/xml", ())),
    ("#!", Kind("Script", "text/x-script", ())),
    ("-----begin ", Kind("PEM text", "application/x-pem-file", ())),
)
# Extensions that promise binary content: text under one of these is a disagreement.
_BINARY_EXTENSIONS = frozenset(
    extension for _, _, kind in _MARKS for extension in kind.extensions if extension not in {"ai", "ps", "eps", "rtf"}
) | {extension for _, kind in _IN_ZIP for extension in kind.extensions}
# Extensions that promise text: known binary content under one of these is a disagreement.
_TEXT_EXTENSIONS = frozenset(
    {"txt", "csv", "tsv", "json", "jsonl", "xml", "html", "htm", "svg", "md", "py", "js", "sh"}
)
_LEAST_MARK = 4


def identify(head: bytes, tail: bytes, first_text: str | None) -> Kind:
    """`first_text` is the decoded beginning of a text file, None for anything else."""
    if not head:
        return EMPTY
    for offset, mark, kind in _MARKS:
        # Two bytes prove little: prose may well begin with BM or MZ.
        if head.startswith(mark, offset) and (first_text is None or len(mark) >= _LEAST_MARK):
            return _packed_kind(head) if kind is ZIP else kind
    if first_text is not None:
        return _text_kind(first_text)
    if is_old_tar(head):
        return TAR
    return _from_puremagic(head, tail)


def is_old_tar(head: bytes) -> bool:
    """Before 1988 tar had no mark; its first header has a checksum."""
    block, written = head[:512], head[148:156].strip(b" \0")
    if len(block) < 512 or not written.isdigit() or b"8" in written or b"9" in written:  # noqa: PLR2004
        return False
    return int(written, 8) == sum(block[:148]) + 256 + sum(block[156:])


def refine(kind: Kind, form: str, names: set[str]) -> Kind:
    """What the contents add: Office documents are ZIP archives with known entries, and much of gzip is tar."""
    if kind is ZIP:
        return next((inner for entry, inner in _IN_ZIP if entry in names), kind)
    if form.startswith("tar."):
        return kind._replace(name=f"tar archive, packed with {form.removeprefix('tar.')}")
    return kind


def disagreement(name: str, kind: Kind, *, is_text: bool) -> str:
    """A sentence when the extension promises something else than the content; empty when it does not."""
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    if not extension or kind in {EMPTY, UNKNOWN} or extension in kind.extensions:
        return ""
    promises_binary, promises_text = extension in _BINARY_EXTENSIONS, extension in _TEXT_EXTENSIONS
    if (promises_binary and (is_text or kind.extensions)) or (promises_text and not is_text and kind.extensions):
        return f"The name ends in .{extension}, but the content is: {kind.name}."
    return ""


def _packed_kind(head: bytes) -> Kind:
    """EPUB and OpenDocument put an uncompressed entry `mimetype` first."""
    if head[30:38] == b"mimetype":
        for media_type, kind in _BY_MIMETYPE_ENTRY.items():
            if head.startswith(media_type, 38):
                return kind
    return ZIP


def _text_kind(first_text: str) -> Kind:
    start = first_text.lstrip("\ufeff \t\r\n")
    lowered = start[:200].lower()
    for mark, kind in _TEXT_MARKS:
        if lowered.startswith(mark):
            return Kind("SVG drawing", "image/svg+xml", ()) if mark == "<?xml" and "<svg" in first_text else kind
    if start.startswith(("{", "[")) and _is_json_like(start):
        return Kind("JSON text", "application/json", ())
    return PLAIN


def _is_json_like(start: str) -> bool:
    after = start[1:].lstrip()
    return after[:1] in {'"', "{", "[", "}", "]"} or after[:1].isdigit()


def _from_puremagic(head: bytes, tail: bytes) -> Kind:
    # Its deep scans open the file again with parsers that know no bounds.
    os.environ["PUREMAGIC_DEEPSCAN"] = "0"
    from puremagic.main import identify_all  # noqa: PLC0415 - 40 ms that most files do not need

    for match in identify_all(head, tail):
        if len(match.byte_match) >= _LEAST_MARK and match.name:
            extension = match.extension.lstrip(".").lower()
            return Kind(match.name, match.mime_type or UNKNOWN.media_type, (extension,) if extension else ())
    return UNKNOWN
