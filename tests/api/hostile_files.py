"""Files that are two things at once or pretend to be another, and names that fool people and programs."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import Final

from tests.pipelines.corpus_files import CORPUS

SCRIPT: Final = b"<html><script>alert(document.cookie)</script></html>"
PHP: Final = b"<?php system($_GET['c']); ?>"
XXE: Final = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@dataclass(frozen=True, slots=True)
class Hostile:
    name: str
    data: bytes
    is_really: str


def _zipped(**entries: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name.replace("__", "/"), data)
    return packed.getvalue()


def _png() -> bytes:
    return (CORPUS / "broken" / "archives" / "png-and-zip.png").read_bytes()[:8]


def _docx() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("[Content_Types].xml", XXE)
        archive.writestr("word/document.xml", XXE)
    return packed.getvalue()


FILES: Final = (
    Hostile("picture.png", _png() + SCRIPT, "image/png"),
    Hostile("page.html", _png() + SCRIPT, "image/png"),
    Hostile("picture.gif", b"GIF89a/*" + b"\0" * 8 + b"*/=1;alert(1)//", "image/gif"),
    Hostile("script.js", b"GIF89a=1;alert(1)//", "image/gif"),
    Hostile("report.pdf", b"%PDF-1.7\n" + _zipped(a=b"x"), "application/pdf"),
    Hostile("report.zip", b"%PDF-1.7\n" + _zipped(a=b"x"), "application/pdf"),
    Hostile("photo.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\0" + PHP, "image/jpeg"),
    Hostile("photo.php", b"\xff\xd8\xff\xe0\0\x10JFIF\0" + PHP, "image/jpeg"),
    Hostile("photo.jpg", PHP, "text/plain"),
    Hostile("photo.php.jpg", PHP, "text/plain"),
    Hostile("photo.jpg.php", PHP, "text/plain"),
    Hostile("photo.php%00.jpg", PHP, "text/plain"),
    Hostile("PHOTO.PHP", PHP, "text/plain"),
    Hostile("photo.php.", PHP, "text/plain"),
    Hostile("photo.php::$DATA", PHP, "text/plain"),
    Hostile("photo.png", SCRIPT, "text/plain"),
    Hostile("PAGE.HTML", SCRIPT, "text/html"),
    Hostile("page.htm", SCRIPT, "text/html"),
    Hostile("table.csv", SCRIPT, "text/csv"),
    Hostile("drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "image/svg+xml"),
    Hostile("drawing.png", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "text/plain"),
    Hostile("letter.docx", _docx(), DOCX),
    Hostile("letter.csv", _docx(), "application/zip"),
    Hostile("data.xml", XXE, "application/xml"),
    Hostile("table.parquet", _zipped(a=b"x"), "application/zip"),
    Hostile("notes.txt", b"MZ\x90\0\x03\0\0\0" + bytes(100), "application/octet-stream"),
)

# Each with what it is kept as.
NAMES: Final = (
    ("CON", "CON"),
    ("nul.txt", "nul.txt"),
    (".htaccess", ".htaccess"),
    ("-rf", "-rf"),
    ("--help", "--help"),
    ("...", "..."),
    ("a.php ", "a.php"),
    (" a.csv", "a.csv"),
    ("a.csv.", "a.csv."),
    ("a.php%00.jpg", "a.php%00.jpg"),
    ("%2e%2e%2fpasswd", "%2e%2e%2fpasswd"),
    ("{{7*7}}.csv", "{{7*7}}.csv"),
    ("=1+1.csv", "=1+1.csv"),
    ("<img src=x onerror=alert(1)>.png", "<img src=x onerror=alert(1)>.png"),
    ("\"'`;$(id)|&.csv", "\"'`;$(id)|&.csv"),
    ("a'; DROP TABLE file;--", "a'; DROP TABLE file;--"),
    ("cafe\u0301.csv", "caf\u00e9.csv"),
    ("caf\u00e9.csv", "caf\u00e9.csv"),
    ("\U0001f600.csv", "\U0001f600.csv"),
    ("表.csv", "表.csv"),
    ("é" * 150, "é" * 150),
    ("a" * 1024, "a" * 1024),
)
BAD_NAMES: Final = (
    "",
    " ",
    ".",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "a/b",
    "..\\..\\boot.ini",
    "C:\\a",
    "a\0.jpg",
    "a\r\nSet-Cookie: x=y",
    "a\nb",
    "a\x1b[31m",
    "a\x7f",
    "a\x85b",
    "\u202egpj.exe",
    "a\u200b.csv",
    "a\u2066b",
    "\ufeffa.csv",
    "\ud800",
    "a" * 1025,
    "é" * 513,
)
