"""A bad setting stops the process with a sentence that names the variable, what was read and what is allowed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from project.tes import images

ROOT = Path(__file__).resolve().parents[2]


def start(tmp_path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import project.settings as s; print(s.ESTEIRA_PORT, s.PASSWORD_HASHERS[0])"],
        env={"PATH": os.environ["PATH"], "ESTEIRA_HOME": str(tmp_path), **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("ESTEIRA_PORT", "eighty", "a whole number from 1 to 65535"),
        ("ESTEIRA_PORT", "99999", "a whole number from 1 to 65535"),
        ("ESTEIRA_HTTPS", "maybe", "true or false"),
        ("ESTEIRA_ALLOWED_HOSTS", "*", "without *"),
        ("ESTEIRA_SECRET_KEY", "short", "at least 32 characters"),
        ("ESTEIRA_STEP_ISOLATION", "docker", "auto or none or bubblewrap"),
        ("ESTEIRA_LOG_LEVEL", "LOUD", "DEBUG or INFO or WARNING or ERROR"),
        ("DATABASE_URL", "postgresql://[broken", "postgresql://user:password@host/name"),
        ("ESTEIRA_TES_IMAGES", "debian:13", "IMAGE=host or IMAGE=/folder/of/programs"),
        ("ESTEIRA_TES_IMAGES", "debian:13=/home", "IMAGE=host or IMAGE=/folder/of/programs"),
        ("ESTEIRA_TES_IMAGES", "debian:13=/opt/../etc", "IMAGE=host or IMAGE=/folder/of/programs"),
        ("ESTEIRA_TES_IMAGES", "debian:13=opt", "IMAGE=host or IMAGE=/folder/of/programs"),
        ("ESTEIRA_TES_ROLE", "viewer", "submitter or manager"),
        ("ESTEIRA_API_THREADS", "500", "a whole number from 1 to 16"),
    ],
)
def test_bad_value_ends_the_process_with_a_sentence(tmp_path: Path, name: str, value: str, allowed: str) -> None:
    done = start(tmp_path, **{name: value})
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert name in done.stderr
    assert allowed in done.stderr


@pytest.mark.parametrize("password", ["hush%secret", "hush secret", "hush/secret", "hush@secret"])
def test_password_that_cannot_be_read_is_not_shown(tmp_path: Path, password: str) -> None:
    done = start(tmp_path, DATABASE_URL=f"postgresql://esteira:{password}@db.invalid/esteira")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "%2F for /" in done.stderr
    assert "hush" not in done.stderr
    assert "secret" not in done.stderr


def test_database_may_have_several_hosts(tmp_path: Path) -> None:
    assert (
        start(tmp_path, DATABASE_URL="postgresql://esteira@one.invalid:5432,two.invalid:5433/esteira").returncode == 0
    )


def test_images_of_tasks_are_for_the_local_engine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESTEIRA_TES_IMAGES", "debian:13=host, quay.io/tools@sha256:ab=/opt/tools")
    assert images(engine="local") == {"debian:13": "", "quay.io/tools@sha256:ab": "/opt/tools"}
    with pytest.raises(SystemExit, match="only `local` runs tasks"):
        images(engine="aws")
    monkeypatch.delenv("ESTEIRA_TES_IMAGES")
    assert images(engine="aws") == {}


def test_secret_is_read_from_a_file(tmp_path: Path) -> None:
    missing = start(tmp_path, ESTEIRA_SECRET_KEY_FILE="/nowhere")
    assert missing.returncode == 1
    assert "ESTEIRA_SECRET_KEY_FILE" in missing.stderr
    (tmp_path / "key").write_text("k" * 40)
    assert start(tmp_path, ESTEIRA_SECRET_KEY_FILE=str(tmp_path / "key")).returncode == 0
    assert not (tmp_path / "secret_key").exists()


def test_secret_is_made_once_and_kept_private(tmp_path: Path) -> None:
    assert start(tmp_path).returncode == 0
    kept = tmp_path / "secret_key"
    first = kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert len(first) > 50
    assert start(tmp_path).returncode == 0
    assert kept.read_text() == first


def test_signing_key_is_made_once_and_is_one_that_openssl_reads(tmp_path: Path) -> None:
    assert start(tmp_path).returncode == 0
    kept = tmp_path / "signing_key"
    first = kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert isinstance(load_pem_private_key(first.encode(), None), Ed25519PrivateKey)
    assert start(tmp_path).returncode == 0
    assert kept.read_text() == first
    assert start(tmp_path, ESTEIRA_SIGNING_KEY=first).returncode == 0
    assert start(tmp_path, ESTEIRA_SIGNING_KEY=first.replace("M", "N", 1)).returncode == 1
    assert start(tmp_path, ESTEIRA_SIGNING_KEY="secret").returncode == 1


def test_passwords_are_hashed_with_argon2(tmp_path: Path) -> None:
    assert "Argon2PasswordHasher" in start(tmp_path).stdout


def test_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = start(tmp_path, ESTEIRA_HOME=str(tmp_path / "file"))
    assert done.returncode == 1
    assert "ESTEIRA_HOME" in done.stderr


BUCKETS = {
    "ESTEIRA_STORAGE": "s3",
    "ESTEIRA_S3_REGION": "eu-central-1",
    "ESTEIRA_S3_BUCKET_UPLOADS": "lab-uploads",
    "ESTEIRA_S3_BUCKET_RESULTS": "lab-results",
}


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("ESTEIRA_STORAGE", "s4", "local or s3"),
        ("ESTEIRA_S3_BUCKET_UPLOADS", "", "the name of a bucket"),
        ("ESTEIRA_S3_BUCKET_RESULTS", "Lab", "the name of a bucket"),
        ("ESTEIRA_S3_REGION", "", "the region of the buckets"),
        ("ESTEIRA_S3_PREFIX", "../up", "a folder such as esteira"),
        ("ESTEIRA_S3_ENDPOINT", "minio:9000", "https://host:port"),
        ("ESTEIRA_S3_ADDRESSING", "host", "auto or path or virtual"),
    ],
)
def test_object_storage_that_is_not_described_ends_the_process(
    tmp_path: Path, name: str, value: str, allowed: str
) -> None:
    done = start(tmp_path, **(BUCKETS | {name: value}))
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert name in done.stderr
    assert allowed in done.stderr


def test_object_storage_needs_two_buckets_and_a_region(tmp_path: Path) -> None:
    assert start(tmp_path, **BUCKETS).returncode == 0
