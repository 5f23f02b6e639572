"""Clients behave as we say, whatever the environment does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from orchestration.engines.step_functions.clients import ATTEMPTS, CONNECT_S, READ_S, Clients
from orchestration.errors import EngineUnavailable

if TYPE_CHECKING:
    from tests.engines.cloud import Cloud

SERVICES: Any = ("stepfunctions", "batch", "logs", "s3")


@pytest.mark.parametrize("service", SERVICES)
def test_tries_and_timeouts_are_pinned(cloud: Cloud, service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_RETRY_MODE", "legacy")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "17")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-2")

    meta = Clients(cloud.cell)[service].meta

    assert meta.config.retries == {"mode": "standard", "total_max_attempts": ATTEMPTS}
    assert (meta.config.connect_timeout, meta.config.read_timeout) == (CONNECT_S, READ_S)
    assert meta.region_name == "eu-west-1"
    assert meta.endpoint_url.endswith(".amazonaws.com")


@pytest.mark.parametrize("service", SERVICES)
def test_parameters_are_checked_before_anything_is_sent(cloud: Cloud, service: Any) -> None:
    assert Clients(cloud.cell)[service].meta.config.parameter_validation is True


@pytest.mark.parametrize("service", SERVICES)
def test_endpoint_of_a_stand_in_is_used(cloud: Cloud, service: Any) -> None:
    clients = Clients(replace(cloud.cell, endpoint="http://127.0.0.1:5000"))

    assert clients[service].meta.endpoint_url == "http://127.0.0.1:5000"


def test_threads_share_one_client(cloud: Cloud) -> None:
    clients = Clients(cloud.cell)

    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: id(clients["batch"]), range(64)))
    assert len(found) == 1


def test_client_that_cannot_be_made_is_later(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    with pytest.raises(EngineUnavailable):
        Clients(cloud.cell)["batch"]
