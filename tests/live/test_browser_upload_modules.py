"""The upload's modules by themselves, inside Chromium: checksums against the server's own, names, ranges, folders."""

from __future__ import annotations

import base64
import hashlib
import random
from typing import TYPE_CHECKING, Any

import pytest

from orchestration import crc64

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LENGTHS = [0, 1, 7, 8, 9, 63, 64, 65, 1_000, 65_537]


def run(page: Page, module: str, body: str, given: object = None) -> Any:
    """`body` sees the module as `m` and `given`."""
    return page.evaluate(
        f"async (given) => {{ const m = await import('/static/frontend_app/upload/{module}.js'); {body} }}", given
    )


def test_checksum_is_the_servers(page: Page) -> None:
    rng = random.Random(1)
    samples = [rng.randbytes(length) for length in LENGTHS]
    body = "return given.map((bytes) => m.toText(m.update(Uint8Array.from(bytes))));"
    assert run(page, "crc64", body, [list(s) for s in samples]) == [crc64.to_text(crc64.update(s)) for s in samples]
    assert run(page, "crc64", "return m.toText(m.update(new TextEncoder().encode('123456789')));") == "rosUhgp5mIg="


def test_checksum_goes_on_and_does_not_mind_where_bytes_begin(page: Page) -> None:
    data = random.Random(2).randbytes(5_000)
    body = """
      const bytes = Uint8Array.from(given);
      return [0, 1, 2, 3, 5, 2500].map((at) => m.toText(m.update(bytes.subarray(at), m.update(bytes.subarray(0, at)))));
    """
    assert run(page, "crc64", body, list(data)) == [crc64.to_text(crc64.update(data))] * 6


def test_checksums_of_parts_make_that_of_the_whole(page: Page) -> None:
    data = random.Random(3).randbytes(9_999)
    body = """
      const bytes = Uint8Array.from(given);
      const parts = [];
      for (let at = 0; at < bytes.length; at += 1024) {
        const part = bytes.subarray(at, at + 1024);
        parts.push([m.fromText(m.toText(m.update(part))), part.length]);
      }
      return [m.toText(m.combine(parts)), m.toText(m.combine([]))];
    """
    assert run(page, "crc64", body, list(data)) == [crc64.to_text(crc64.update(data)), crc64.to_text(0)]


def test_worker_computes_and_joins(page: Page) -> None:
    body = """
      const hasher = new m.Hasher();
      const whole = await hasher.checksums([new Blob(['123456789']), new Blob([])]);
      const half = await hasher.checksums([new Blob(['1234']), new Blob(['56789'])]);
      const joined = await hasher.combined([[half[0].crc, 4], [half[1].crc, 5]]);
      return [whole, joined];
    """
    whole, joined = run(page, "hasher", body)
    assert whole == [{"crc": "rosUhgp5mIg=", "digest": ""}, {"crc": crc64.to_text(0), "digest": ""}]
    assert joined == "rosUhgp5mIg="


@pytest.mark.parametrize("name", ["sha256", "md5"])
def test_worker_computes_the_checksum_that_a_storage_asks_for(page: Page, name: str) -> None:
    data = random.Random(4).randbytes(5 << 20)  # more than it reads at a time
    body = """
      const [bytes, name] = given;
      const blob = new Blob([Uint8Array.from(atob(bytes), (char) => char.charCodeAt(0))]);
      return new m.Hasher().checksums([blob], name);
    """
    found = run(page, "hasher", body, [base64.b64encode(data).decode(), name])
    digest = hashlib.new(name, data, usedforsecurity=False).digest()
    crc = crc64.to_text(crc64.update(data))
    assert found == [{"crc": crc, "digest": base64.b64encode(digest).decode()}]


@pytest.mark.parametrize("text", ["", "abc", "x" * 55, "x" * 56, "x" * 64, "é" * 300])
def test_sha256_is_right(page: Page, text: str) -> None:
    found = run(page, "plan", "return m.sha256(new TextEncoder().encode(given));", text)
    assert found == hashlib.sha256(text.encode()).hexdigest()


def test_fingerprint_is_the_contracts(page: Page) -> None:
    body = "return given.map((file) => m.fingerprint(file));"
    plain = {"name": "a.csv", "size": 5, "modified": 1_764_345_600_000, "path": "2026/nov"}
    long, control = plain | {"name": "😀" * 240}, plain | {"name": "a\nb"}
    found = run(page, "plan", body, [plain, long, control])
    assert found[0] == "a.csv|5|1764345600000|2026/nov"
    whole = f"{'😀' * 240}|5|1764345600000|2026/nov"
    assert found[1] == hashlib.sha256(whole.encode()).hexdigest()
    assert found[2] == hashlib.sha256(b"a\nb|5|1764345600000|2026/nov").hexdigest()


def test_ranges_and_spans(page: Page) -> None:
    assert run(page, "plan", "return [...m.numbers('1-3,7,9-10')];") == [1, 2, 3, 7, 9, 10]
    assert run(page, "plan", "return [...m.numbers(''), ...m.numbers(null)];") == []
    assert run(page, "plan", "return [m.span(1, 16, 40), m.span(3, 16, 40)];") == [[0, 16], [32, 40]]


WALK = """
  const entry = (path, file) => ({ isFile: true, name: path.split('/').pop(), fullPath: path, file });
  const file = (path) => entry(path, (ok) => ok(new File(['x'], path.split('/').pop())));
  const broken = entry('/top/locked', (ok, no) => no(new DOMException('', 'NotReadableError')));
  const folder = (fullPath, left) => ({
    isFile: false, name: fullPath.split('/').pop(), fullPath,
    createReader: () => ({ readEntries: (ok) => ok(left.splice(0, 100)) }),
  });
  const many = Array.from({ length: 250 }, (_, at) => file(`/top/f${at}`));
  const inner = folder('/top/in', [file('/top/in/deep')]);
  const top = folder('/top', [...many, broken, folder('/top/empty', []), inner]);
  const item = (entry) => ({ kind: 'file', webkitGetAsEntry: () => entry });
  const found = [];
  for await (const one of m.dropped({ items: [item(top), item(file('/alone')), { kind: 'string' }], files: [] })) {
    found.push([one.path, one.file?.name ?? one.name, one.error ?? '']);
  }
  return found;
"""


def test_folders_are_walked_to_the_last_entry(page: Page) -> None:
    found = run(page, "walk", WALK)
    assert len(found) == 253, "readEntries gives a hundred at a time"
    assert ["top", "f249", ""] in found
    assert ["top/in", "deep", ""] in found
    assert ["", "alone", ""] in found
    assert ["top", "locked", "NotReadableError"] in found


def test_words_for_sizes_and_times(page: Page) -> None:
    assert run(page, "words", "return [0, 1023, 1024, 5 * 2 ** 30].map(m.size);") == [
        "0\N{NO-BREAK SPACE}B",
        "1023\N{NO-BREAK SPACE}B",
        "1.0\N{NO-BREAK SPACE}KiB",
        "5.0\N{NO-BREAK SPACE}GiB",
    ]
    paused = "return [5, 2 ** 20].map((sent) => m.row({ state: 'paused', sent, size: 3 * 2 ** 20 }));"
    assert run(page, "words", paused) == [
        "paused · 5\N{NO-BREAK SPACE}B of 3.0\N{NO-BREAK SPACE}MiB",
        "paused · 1.0 of 3.0\N{NO-BREAK SPACE}MiB",
    ]
    times = run(page, "words", "return [2, 42, 600, 7200, 400000].map(m.time);")
    assert times == ["a few seconds", "45 s", "10 min", "2 h", "5 days"]


def test_worker_that_does_not_start_is_said_and_tried_again(page: Page) -> None:
    worker = "**/upload/hash_worker.js"
    page.route(worker, lambda route: route.abort())
    body = """
      window.hasher ??= new m.Hasher();
      return window.hasher.checksums([new Blob(["123456789"])]).then((found) => found[0].crc, (fault) => fault.message);
    """
    for _ in range(2):
        assert "checksum worker" in run(page, "hasher", body)
    page.unroute(worker)
    assert run(page, "hasher", body) == "rosUhgp5mIg="
