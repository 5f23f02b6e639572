import hashlib
import io
import os
import zipfile
from pathlib import Path

import pytest

from orchestration.spec import bundle
from orchestration.spec.bundle import BundleError, build_bundle, digest

FILES = {
    "pipeline.yaml": "pipeline: ab\n",
    "run.py": "print('é')\n",
    "lib/b.py": "b\n",
    "lib/a.py": "a\n",
    "lib/__pycache__/a.cpython-313.pyc": "compiled",
    "old.pyc": "compiled",
    ".git/config": "hidden",
    ".env": "hidden",
    "tests/test_run.py": "tests",
    "lib/tests/test_a.py": "tests",
}
PACKED = ["lib/a.py", "lib/b.py", "pipeline.yaml", "run.py"]


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def opened(data: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(data))


def fault(folder: Path, *include: str, root: Path | None = None) -> str:
    with pytest.raises(BundleError) as caught:
        build_bundle(folder, include, root=root)
    return str(caught.value)


def test_code_is_packed_and_nothing_else(tmp_path: Path) -> None:
    with opened(build_bundle(write(tmp_path, FILES), [])) as archive:
        assert archive.namelist() == PACKED
        assert archive.read("run.py") == FILES["run.py"].encode()


def test_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    first = write(tmp_path / "first", FILES)
    second = write(tmp_path / "second", dict(reversed(FILES.items())))
    for path in second.rglob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o600)

    assert build_bundle(first, []) == build_bundle(second, [])


def test_bytes_are_those_of_every_other_machine(tmp_path: Path) -> None:
    data = build_bundle(write(tmp_path, FILES), [])

    assert hashlib.sha256(data).hexdigest() == "8524d71a3c5eb7eaacffa4a365dd4646aaf66523fa1eb551b6395455ab96af95"


def test_another_byte_gives_another_bundle(tmp_path: Path) -> None:
    before = build_bundle(write(tmp_path, FILES), [])

    assert build_bundle(write(tmp_path, {"run.py": "print('e')\n"}), []) != before


def test_program_stays_executable(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    (tmp_path / "run.py").chmod(0o700)

    with opened(build_bundle(tmp_path, [])) as archive:
        modes = {info.filename: info.external_attr >> 16 & 0o777 for info in archive.infolist()}
    assert modes == dict.fromkeys(PACKED, 0o644) | {"run.py": 0o755}


def test_included_folder_lands_at_the_root(tmp_path: Path) -> None:
    write(tmp_path / "shared", {"kit/step.py": "kit", "lib/c.py": "c"})
    folder = write(tmp_path / "ab", FILES)

    with opened(build_bundle(folder, ["../shared"], root=tmp_path)) as archive:
        assert archive.namelist() == [
            "kit/step.py",
            "lib/a.py",
            "lib/b.py",
            "lib/c.py",
            "pipeline.yaml",
            "run.py",
        ]


def test_included_folder_stays_inside_the_root(tmp_path: Path) -> None:
    write(tmp_path / "shared", {"kit.py": "kit"})
    folder = write(tmp_path / "ab", FILES)

    assert "leads out of" in fault(folder, "../shared")
    assert "leads out of" in fault(folder, "../../shared", root=tmp_path)
    assert "there is no folder" in fault(folder, "missing")


def test_file_from_two_places_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "shared", {"run.py": "another"})
    folder = write(tmp_path / "ab", FILES)

    assert "run.py comes from two places" in fault(folder, "../shared", root=tmp_path)


def test_file_that_is_also_a_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "shared", {"lib": "a file"})
    folder = write(tmp_path / "ab", FILES)

    assert "lib is the file" in fault(folder, "../shared", root=tmp_path)


def test_folder_without_a_pipeline_is_refused(tmp_path: Path) -> None:
    assert "holds no pipeline.yaml" in fault(write(tmp_path, {"run.py": ""}))


@pytest.mark.parametrize("target", ["/etc/passwd", "run.py", "lib", "nowhere"])
def test_link_is_refused_wherever_it_leads(tmp_path: Path, target: str) -> None:
    write(tmp_path, FILES)
    (tmp_path / "link").symlink_to(target)

    assert "link is a symbolic link" in fault(tmp_path)


def test_link_as_an_included_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    (tmp_path / ".link").symlink_to("lib")

    assert "symbolic link" in fault(tmp_path, ".link")


def test_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    os.mkfifo(tmp_path / "pipe")

    assert "neither a file nor a folder" in fault(tmp_path)


def test_file_that_turns_into_something_else_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to("/etc/passwd")
    os.mkfifo(pipe)

    monkeypatch.setattr(bundle, "_walk", lambda _: [("pipeline.yaml", link)])
    with pytest.raises(OSError, match="symbolic links"):
        build_bundle(tmp_path)
    monkeypatch.setattr(bundle, "_walk", lambda _: [("pipeline.yaml", pipe)])
    assert "is no longer a file" in fault(tmp_path)


@pytest.mark.parametrize("name", [b"a\nb", b"\xff"])
def test_name_that_not_every_machine_can_write_is_refused(tmp_path: Path, name: bytes) -> None:
    write(tmp_path, FILES)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()

    assert "is not a name that every machine can write" in fault(tmp_path)


def test_bytes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bundle.MOST_BYTES == 32 * 1024 * 1024
    size = sum(len(FILES[name].encode()) for name in PACKED)
    write(tmp_path, FILES)

    monkeypatch.setattr(bundle, "MOST_BYTES", size)
    assert build_bundle(tmp_path, [])
    monkeypatch.setattr(bundle, "MOST_BYTES", size - 1)
    assert "the files have more than" in fault(tmp_path)


def test_number_of_files_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, FILES)
    monkeypatch.setattr(bundle, "MOST_FILES", 3)

    assert "holds more than 3 files" in fault(tmp_path)


def test_digest_is_of_the_bytes() -> None:
    assert digest("é\n") == hashlib.sha256(b"\xc3\xa9\n").hexdigest()
    assert digest("a: 1\n") != digest("a: 1")
