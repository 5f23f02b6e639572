"""esteira verify: what is wrong is said plainly, and nothing that is wrong passes."""

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api_app.client.progress import CHUNK
from api_app.client.signatures import NotCheckableError
from api_app.client.verifying import Archive, Subject, Verdict, judge
from orchestration.dsse import key_id, public_pem, signed
from tests.client.conftest import Command
from tests.client.fake_server import Platform

FILES = {"report.html": b"<h1>", "pages/1.txt": b"one"}
MANIFEST = "esteira-manifest.json"


def raw(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def jwks(*keys: Ed25519PrivateKey, **more: object) -> dict[str, object]:
    return {"keys": [{"kty": "OKP", "x": base64.urlsafe_b64encode(raw(k)).rstrip(b"=").decode(), **more} for k in keys]}


@dataclass
class Signed:
    """A job whose results are FILES, and the means to put them down in any state."""

    platform: Platform
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def __post_init__(self) -> None:
        self.job = self.platform.add_job(state="SUCCEEDED", finished_at="2026-01-01T00:00:00Z")
        self.platform.script.clear()
        self.results = {name: self.platform.add_file(name, data) for name, data in FILES.items()}
        self.job["results"] = list(self.results.values())
        self.platform.manifest = self.envelope()
        self.platform.signing_keys = jwks(self.key)

    def statement(self) -> dict[str, Any]:
        subjects = [
            {
                "name": name,
                "digest": {"sha256": hashlib.sha256(data).hexdigest()},
                "annotations": {"size": len(data), "file": self.results[name]["id"]},
            }
            for name, data in FILES.items()
        ]
        inner = {
            "buildDefinition": {
                "externalParameters": {"pipeline": "noop", "version": "1.0.0"},
                "internalParameters": {"job": self.job["id"], "run": 1, "state": "SUCCEEDED"},
            },
            "runDetails": {"builder": {"id": "https://esteira.example"}},
        }
        return {"_type": "https://in-toto.io/Statement/v1", "subject": subjects, "predicate": inner}

    def envelope(self, **changes: object) -> dict[str, Any]:
        return signed(json.dumps(self.statement() | changes).encode(), self.key)

    def zipped(self, files: dict[str, bytes] | None = None, envelope: object = None) -> Path:
        path = Path("all.zip")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(MANIFEST, json.dumps(envelope or self.envelope()))
            for name, data in (FILES if files is None else files).items():
                archive.writestr(name, data)
        return path

    def keys(self, **more: object) -> Path:
        path = Path("keys.json")
        path.write_text(json.dumps(jwks(self.key, **more)))
        return path


@pytest.fixture
def made(platform: Platform) -> Signed:
    return Signed(platform)


def test_archive_is_as_signed(command: Command, made: Signed) -> None:
    done = command("verify", made.zipped(), "--keys", made.keys())
    assert done.code == 0, done.err
    assert "Signed by https://esteira.example" in done.out
    assert "2 files are as signed." in done.out


def test_keys_come_from_the_platform_unless_given(command: Command, made: Signed, platform: Platform) -> None:
    assert command("verify", made.zipped()).code == 0
    assert platform.calls("GET", "/signing-keys")
    pem = Path("key.pem")
    pem.write_text(public_pem(raw(made.key)))
    assert command("verify", made.zipped(), "--keys", pem).code == 0


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({**FILES, "report.html": b"<h2>"}, "CHANGED     report.html: its SHA-256 is"),
        ({**FILES, "report.html": b"<"}, "CHANGED     report.html: it has 1 bytes, the manifest says 4"),
        ({**FILES, "report.html": b"<h1>" * 9}, "CHANGED     report.html: it has more than 4 bytes"),
        ({"report.html": b"<h1>"}, "MISSING     pages/1.txt"),
        ({**FILES, "virus.exe": b"x"}, "NOT SIGNED  virus.exe"),
    ],
)
def test_whatever_is_not_as_signed_is_named(command: Command, made: Signed, files: dict[str, bytes], said: str) -> None:
    done = command("verify", made.zipped(files), "--keys", made.keys())
    assert done.code == 1
    assert said in done.out
    told = json.loads(command("verify", made.zipped(files), "--keys", made.keys(), "--json").out)
    assert told["ok"] is False


def test_selection_may_lack_files(command: Command, made: Signed) -> None:
    path = made.zipped({"report.html": b"<h1>"})
    assert command("verify", path, "--keys", made.keys()).code == 1
    assert command("verify", path, "--keys", made.keys(), "--partial").code == 0


def test_manifest_that_was_changed_does_not_hold(command: Command, made: Signed) -> None:
    envelope = made.envelope()
    statement = made.statement() | {"subject": []}
    envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    done = command("verify", made.zipped({}, envelope), "--keys", made.keys())
    assert (done.code, "changed after it was signed" in done.err) == (1, True)


def test_type_of_what_is_signed_is_signed_too(command: Command, made: Signed) -> None:
    done = command(
        "verify", made.zipped(envelope=made.envelope() | {"payloadType": "text/plain"}), "--keys", made.keys()
    )
    assert (done.code, "changed after it was signed" in done.err) == (1, True)


def test_key_of_somebody_else_counts_for_nothing(command: Command, made: Signed) -> None:
    keys, good = made.keys(), made.key
    made.key = Ed25519PrivateKey.generate()
    done = command("verify", made.zipped(), "--keys", keys)
    assert (done.code, "no key of this platform" in done.err) == (1, True)
    envelope = made.envelope()
    envelope["signatures"][0]["keyid"] = key_id(good.public_key())
    assert command("verify", made.zipped(envelope=envelope), "--keys", keys).code == 1


def test_revoked_key_counts_no_more_and_says_why(command: Command, made: Signed) -> None:
    keys = made.keys(revoked_at="2026-11-01T00:00:00Z", revoked_reason="stolen")
    done = command("verify", made.zipped(), "--keys", keys)
    assert (done.code, "revoked on 2026-11-01: stolen" in done.err) == (1, True)


def test_folder_is_checked_and_files_of_one_s_own_may_lie_there(command: Command, made: Signed) -> None:
    with zipfile.ZipFile(made.zipped()) as archive:
        archive.extractall("out")
    Path("out/mine.txt").write_text("notes")
    done = command("verify", "out", "--keys", made.keys())
    assert done.code == 0, done.out
    assert "Not of this job, and not checked: 1 file (mine.txt)." in done.err
    Path("out/report.html").write_bytes(b"<h9>")
    assert command("verify", "out", "--keys", made.keys()).code == 1
    Path("out/report.html").unlink()
    Path("out/report.html").symlink_to("pages/1.txt")
    assert "MISSING     report.html" in command("verify", "out", "--keys", made.keys()).out


def test_folder_that_was_downloaded_is_checked_against_its_job(command: Command, made: Signed) -> None:
    assert command("download", made.job["id"], "-o", "out").code == 0
    done = command("verify", "out")
    assert (done.code, "--job JOB" in done.err) == (2, True)
    Path("out/report.html").rename("out/report-2.html")
    assert command("verify", "out", "--job", made.job["id"]).code == 0


def test_what_the_platform_keeps_is_checked_there(command: Command, made: Signed, platform: Platform) -> None:
    done = command("verify", made.job["id"])
    assert done.code == 0, done.err
    platform.contents[made.results["report.html"]["id"]] = b"<h2>"
    assert command("verify", made.job["id"]).code == 1
    made.job["results"].pop()
    assert "MISSING     pages/1.txt" in command("verify", made.job["id"]).out


def test_what_cannot_be_checked_is_said_with_another_code(command: Command, made: Signed) -> None:
    Path("no.zip").write_bytes(b"PK nothing")
    Path("no.json").write_text("{}")
    assert command("verify", "no.zip", "--keys", made.keys()).code == 2
    assert command("verify", made.zipped(), "--keys", "no.json").code == 2
    assert command("verify", made.zipped(), "--keys", "nowhere.json").code == 2
    assert command("verify", made.zipped(envelope={"x": 1}), "--keys", made.keys()).code == 2
    assert command("verify", made.zipped(), "--keys", "http://127.0.0.1:1/keys").code == 4
    evil = [{"name": "../x", "digest": {"sha256": "0"}, "annotations": {"size": 1}}]
    assert command("verify", made.zipped(envelope=made.envelope(subject=evil)), "--keys", made.keys()).code == 2


def test_keys_that_anybody_could_change_on_their_way_are_not_fetched(command: Command, made: Signed) -> None:
    done = command("verify", made.zipped(), "--keys", "http://keys.example/keys.json")
    assert done.code == 2
    assert "Give an https:// address" in done.err


def test_names_of_an_archive_are_counted_in_one_pass() -> None:
    asked = 0

    class Name(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal asked
            asked += 1
            return str.__eq__(self, other)

    with zipfile.ZipFile(io.BytesIO(b"PK\5\6" + bytes(18))) as archive:
        archive.filelist = [zipfile.ZipInfo("x") for _ in range(400)]
        for number, info in enumerate(archive.filelist):
            info.filename = Name(f"{min(398, number)}")
        with pytest.raises(NotCheckableError, match="398 twice"):
            Archive(archive).names()
    assert asked < 2_000, "each with each would be 80,000"


def test_name_that_is_twice_in_an_archive_is_refused(command: Command, made: Signed) -> None:
    path = made.zipped()
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("report.html", b"evil")
    assert command("verify", path, "--keys", made.keys()).code == 2


def test_file_that_unpacks_to_any_length_is_not_read_to_its_end() -> None:
    bomb = io.BytesIO(bytes(20 * CHUNK))
    verdict, subject = Verdict(), Subject("a", "0" * 64, 4)
    lengths: list[int] = []
    bomb_read = bomb.read

    def counted(size: int | None = -1, /) -> bytes:
        lengths.append(len(data := bomb_read(size)))
        return data

    bomb.read = counted  # type: ignore[method-assign]
    judge(verdict, subject, lambda: bomb)
    assert sum(lengths) <= CHUNK
    assert "more than 4 bytes" in verdict.changed["a"]


def test_manifest_of_another_job_does_not_pass_for_that_of_the_one_asked_for(command: Command, made: Signed) -> None:
    with zipfile.ZipFile(made.zipped()) as archive:
        archive.extractall("out")
    other = made.platform.add_job(state="SUCCEEDED", finished_at="2026-01-01T00:00:00Z")["id"]
    for done in (command("verify", other), command("verify", "out", "--job", other)):
        assert (done.code, f"is of job {made.job['id']}, not of {other}" in done.err) == (1, True), done.err


def test_statement_that_speaks_of_no_job_cannot_be_checked(command: Command, made: Signed) -> None:
    envelope = made.envelope(predicate={})
    done = command("verify", made.zipped(envelope=envelope), "--keys", made.keys())
    assert (done.code, "speaks of no job" in done.err) == (2, True)


def _encrypted(path: Path) -> None:
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 8] |= 1
    path.write_bytes(data)


def _odd_method(path: Path) -> None:
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 10] = 97
    path.write_bytes(data)


def _not_deflated(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 10] = data[data.rindex(b"PK\x03\x04") + 8] = zipfile.ZIP_DEFLATED
    path.write_bytes(data)


@pytest.mark.parametrize("spoil", [_encrypted, _odd_method, _not_deflated])
def test_file_that_cannot_be_unpacked_is_named_as_changed(
    command: Command, made: Signed, spoil: Callable[[Path], None]
) -> None:
    path = made.zipped()
    spoil(path)
    done = command("verify", path, "--keys", made.keys())
    assert (done.code, "CHANGED     pages/1.txt" in done.out) == (1, True), done.err
