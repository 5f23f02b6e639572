"""The command that shows an address shows no password, in whichever form it is written."""

from __future__ import annotations

import os
import subprocess

import pytest

from project.doctor.masked import shown


@pytest.mark.parametrize(
    ("address", "seen"),
    [
        ("postgresql://ana:s3cret@db:5432/esteira", "postgresql://ana:***@db:5432/esteira"),
        ("postgresql://ana:s3@c/r:et@db/esteira", "postgresql://ana:***@db/esteira"),
        ("postgresql://:s3cret@db/esteira", "postgresql://:***@db/esteira"),
        (
            "postgresql://ana@db/esteira?password=s3cret&sslmode=require",
            "postgresql://ana@db/esteira?password=***&sslmode=require",
        ),
        ("host=db user=ana password=s3cret dbname=esteira", "host=db user=ana password=*** dbname=esteira"),
        ("host=db password='s3 cret' user=ana", "host=db password=*** user=ana"),
        ("smtp://ana:s3cret@mail:587", "smtp://ana:***@mail:587"),
        ("postgresql:///esteira", "postgresql:///esteira"),
    ],
)
def test_password_is_not_shown(address: str, seen: str) -> None:
    env = {"PATH": os.environ["PATH"], "AT": address}
    done = subprocess.run(["sh", "-c", shown("AT")], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == seen
