from pathlib import Path

import pytest

from api_app.client import Client, EsteiraError
from api_app.client.contract.shapes import File
from api_app.client.downloads import plan
from tests.client.fake_faults import answer, send_damaged, send_half
from tests.client.fake_routes import content
from tests.client.fake_server import Handler, Platform, serve
from tests.client.fake_shapes import file as file_of

BIG = bytes(range(256)) * 12_000  # 3 MiB


def as_file(value: object) -> File:
    return value  # type: ignore[return-value]


def fetch(client: Client, files: list[File], folder: Path) -> list[Path]:
    return [client.fetch(place, folder) for place in plan(files, folder)]


def test_download_resumes_where_it_broke(client: Client, platform: Platform, tmp_path: Path) -> None:
    file = platform.add_file("big.bin", BIG)
    path = f"/files/{file['id']}/content"
    platform.fail(f"GET {path}", send_half)

    (found,) = fetch(client, [as_file(file)], tmp_path / "out")

    assert found.read_bytes() == BIG
    first, second = platform.calls("GET", path)
    assert "range" not in first
    assert second["range"] == f"bytes={len(BIG) // 2}-"
    assert list((tmp_path / "out").iterdir()) == [found]


class Shelf(Handler):
    """Object storage: `/shelf/<file id>/content`, for whoever has the address."""

    def _handle(self) -> None:
        self.is_mute = False
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.platform.s3.append((self.command, self.path, headers))
        faults = self.platform.faults["shelf"]
        if not (faults and faults.pop(0)(self)):
            content(self, {}, b"", self.path.split("/")[2])

    do_GET = _handle  # noqa: N815 - the base class calls it so


def test_download_goes_where_the_platform_sends_it_and_resumes_there(
    client: Client, platform: Platform, tmp_path: Path
) -> None:
    file = platform.add_file("big.bin", BIG)
    path = f"/files/{file['id']}/content"
    with serve(platform, Shelf) as shelf:
        address = f"{shelf.replace('127.0.0.1', 'localhost')}/shelf/{file['id']}/content"
        platform.fail(f"GET {path}", *[answer(307, Location=address)] * 3)
        # The address was over its time, then the connection broke: each time the platform is asked for another.
        platform.faults["shelf"] += [answer(403), send_half]
        (found,) = fetch(client, [as_file(file)], tmp_path / "out")

    assert found.read_bytes() == BIG
    assert len(platform.calls("GET", path)) == 3
    first, second, third = (headers for _, _, headers in platform.s3)
    assert "range" not in first
    assert "range" not in second
    assert third["range"] == f"bytes={len(BIG) // 2}-"
    assert not any("authorization" in headers for _, _, headers in platform.s3), "the token is the platform's"


def test_download_goes_on_with_the_part_of_an_earlier_run(client: Client, platform: Platform, tmp_path: Path) -> None:
    file = platform.add_file("big.bin", BIG)
    (tmp_path / f".{file['id']}.part").write_bytes(BIG[:1000])

    (found,) = fetch(client, [as_file(file)], tmp_path)

    assert found.read_bytes() == BIG
    assert platform.calls("GET", f"/files/{file['id']}/content")[0]["range"] == "bytes=1000-"


def test_damaged_download_is_fetched_once_more(client: Client, platform: Platform, tmp_path: Path) -> None:
    file = platform.add_file("a.txt", b"hello")
    platform.fail(f"GET /files/{file['id']}/content", send_damaged)

    (found,) = fetch(client, [as_file(file)], tmp_path)

    assert found.read_bytes() == b"hello"


def test_download_that_stays_damaged_leaves_nothing(client: Client, platform: Platform, tmp_path: Path) -> None:
    file = platform.add_file("a.txt", b"hello")
    platform.fail(f"GET /files/{file['id']}/content", send_damaged, send_damaged)

    with pytest.raises(EsteiraError, match="arrived damaged"):
        fetch(client, [as_file(file)], tmp_path / "out")

    assert list((tmp_path / "out").iterdir()) == []


def test_a_corrupt_part_does_not_spoil_the_file(client: Client, platform: Platform, tmp_path: Path) -> None:
    file = platform.add_file("big.bin", BIG)
    (tmp_path / f".{file['id']}.part").write_bytes(b"rubbish")

    (found,) = fetch(client, [as_file(file)], tmp_path)

    assert found.read_bytes() == BIG


def test_what_is_there_is_not_fetched_again(client: Client, platform: Platform, tmp_path: Path) -> None:
    file = platform.add_file("a.txt", b"hello")
    (tmp_path / "a.txt").write_bytes(b"hello")

    assert fetch(client, [as_file(file)], tmp_path) == [tmp_path / "a.txt"]
    assert platform.requests == []


def test_another_file_of_the_same_name_is_kept(client: Client, platform: Platform, tmp_path: Path) -> None:
    file = platform.add_file("a.txt", b"new")
    (tmp_path / "a.txt").write_bytes(b"mine")

    assert fetch(client, [as_file(file)], tmp_path) == [tmp_path / "a-2.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("..\\..\\win.ini", "win.ini"),
        ("C:\\temp\\x", "C_/temp/x"),
        ("a/./b/../c.txt", "a/b/c.txt"),
        ("..", "file"),
        ("", "file"),
        (".git/hooks/pre-commit", "_git/hooks/pre-commit"),
        ("con.txt", "_con.txt"),
        ("a\x1b[31mb\n.txt", "a_[31mb_.txt"),
        ("exe.\u202egpj", "exe._gpj"),
        ("x" * 300 + ".html", "x" * 195 + ".html"),
        ("dir/relatório.csv", "dir/relatório.csv"),
    ],
)
def test_names_from_the_server_stay_inside(tmp_path: Path, name: str, expected: str) -> None:
    (place,) = plan([as_file(file_of(name, b""))], tmp_path)

    assert place.path == tmp_path / expected


def test_results_of_one_name_get_suffixes(tmp_path: Path) -> None:
    names = ["t.png", "T.PNG", "t.png", "a", "a/b", "c/d", "c"]

    places = plan([as_file(file_of(name, b"")) for name in names], tmp_path)

    found = [str(place.path.relative_to(tmp_path)) for place in places]
    assert found == ["t.png", "T-2.PNG", "t-3.png", "a", "a_b", "c/d", "c-2"]


def test_a_link_in_the_folder_leads_nowhere(client: Client, platform: Platform, tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    folder.mkdir()
    (folder / "sub").symlink_to(outside)
    file = platform.add_file("sub/a.txt", b"hello")

    with pytest.raises(EsteiraError, match="leads out of"):
        fetch(client, [as_file(file)], folder)

    assert list(outside.iterdir()) == []


def test_id_with_a_slash_is_no_path(client: Client, platform: Platform, tmp_path: Path) -> None:
    file = platform.add_file("a.txt", b"hello")
    with pytest.raises(EsteiraError):
        fetch(client, [as_file({**file, "id": f"../{file['id']}"})], tmp_path / "out")
    assert {one.parent for one in tmp_path.rglob("*.part")} <= {tmp_path / "out"}


def test_an_expired_file_is_told(client: Client, platform: Platform, tmp_path: Path) -> None:
    file = platform.add_file("a.txt", b"hello")
    del platform.contents[file["id"]]

    with pytest.raises(EsteiraError, match="not kept any more"):
        fetch(client, [as_file(file)], tmp_path)
