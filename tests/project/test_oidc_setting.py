"""`ESTEIRA_OIDC`: a mistake stops the process with a sentence, and without a secret in it."""

from __future__ import annotations

import json

import pytest

from project import oidc
from project.env import BadSetting

WHOLE = {"id": "uni", "name": "Uni", "issuer": "https://id.example", "client_id": "c", "client_secret": "hush-hush"}
WRONG = {
    "no JSON": "{",
    "no list": json.dumps(WHOLE),
    "no secret": json.dumps([{k: v for k, v in WHOLE.items() if k != "client_secret"}]),
    "a word too many": json.dumps([WHOLE | {"scope": "x"}]),
    "an id with a slash": json.dumps([WHOLE | {"id": "a/b"}]),
    "no https": json.dumps([WHOLE | {"issuer": "http://id.example"}]),
    "no such role": json.dumps([WHOLE | {"role": "owner"}]),
    "domains that are none": json.dumps([WHOLE | {"domains": "example.org"}]),
    "two of one id": json.dumps([WHOLE, WHOLE]),
}


@pytest.mark.parametrize("what", WRONG)
def test_setting_that_is_wrong_stops_the_process_and_tells_no_secret(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setenv("ESTEIRA_OIDC", WRONG[what])
    with pytest.raises(BadSetting, match="ESTEIRA_OIDC") as caught:
        oidc.providers()
    assert "hush-hush" not in str(caught.value)


def test_forms_may_lead_to_the_providers_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESTEIRA_OIDC", json.dumps([WHOLE | {"issuer": "https://id.example/realms/main/"}]))
    found = oidc.providers()
    assert found[0]["settings"]["server_url"] == "https://id.example/realms/main"
    assert oidc.origins(found) == ["https://id.example"]
