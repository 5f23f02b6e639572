"""python -m tests.aws_double PORT FOLDER RUNNER LOOK_S: the double on this port, until its input ends."""

from __future__ import annotations

import json
import random
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
from moto.batch.models import batch_backends
from moto.core.config import default_user_config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.stepfunctions.parser.models import stepfunctions_parser_backends
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from tests.aws_double.batch import ACCOUNT, Batch, Refused
from tests.engines.stepping import answered, interpreter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

REGION: Final = "eu-west-1"
START: Final = "AWSStepFunctions.StartExecution"


class Application:
    """Calls about jobs go to our Batch, all others to moto. `/double/…` is for the tests."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._lost_share, self._chance = 0.0, random.Random(4)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._jobs: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "/v1/describejobs": batch.describe,
            "/v1/listjobs": batch.listed,
            "/v1/terminatejobs": batch.terminate,
            "/double/interrupt": lambda asked: {"interrupted": batch.interrupt(asked["name"])},
            "/double/hold": self._hold,
            "/double/forget": self._forget,
            "/double/lose": self._lose,
            "/double/complain": lambda asked: {"about": batch.complain(asked["reason"])},
            "/double/state": lambda _: {
                "running": batch.running(),
                "submitted": batch.submitted(),
                "arrays": batch.arrays(),
            },
            "/double/unfinished": lambda asked: {"unfinished": batch.unfinished(asked["name"])},
            "/double/news": lambda asked: {"news": batch.news(asked["after"])},
        }

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        answer = self._jobs.get(environ["PATH_INFO"])
        if answer is None:
            is_lost = environ.get("HTTP_X_AMZ_TARGET") == START and self._chance.random() < self._lost_share
            found: Iterable[bytes] = self._moto(environ, (lambda *_: None) if is_lost else start_response)
            if is_lost:
                raise ConnectionAbortedError("It is done, and nobody hears of it.")
            return found
        try:
            said, status, headers = answer(json.loads(Request(environ).get_data() or b"{}")), 200, {}
        except Refused as exc:
            said, status, headers = {"message": str(exc)}, 400, {"x-amzn-errortype": "ClientException"}
        return Response(json.dumps(said), status, headers, "application/json")(environ, start_response)

    def _lose(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._lost_share = asked["share"]
        return {}

    def _hold(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._batch.is_held = asked["is_held"]
        return {}

    def _forget(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Both services forget, each when it is time."""
        self._batch.forget(asked["name"])
        for machine in stepfunctions_parser_backends[ACCOUNT][REGION].state_machines:
            machine.executions[:] = [one for one in machine.executions if not one.name.startswith(asked["name"])]
        return {}


def definition_of(arn: str) -> dict[str, Any]:
    found = batch_backends[ACCOUNT][REGION].get_job_definition(arn)
    if found is None:
        raise Refused(f"there is no job definition {arn}")
    described: dict[str, Any] = found.describe()
    return described


def client_of(batch: Batch) -> Callable[..., Any]:
    """What the state machine submits with: checked by botocore, answered without a network."""
    # One for all: to make it takes longer than all that is asked of it for a job.
    made = boto3.client("batch", region_name=REGION, aws_access_key_id="a", aws_secret_access_key="b")
    for operation, answer in (("SubmitJob", batch.submit), ("DescribeJobs", batch.describe)):
        made.meta.events.register(
            f"before-call.batch.{operation}",
            lambda params, answer=answer, **_: answered(answer(json.loads(params["body"]))),
        )
    return lambda **_: made


def main(port: str, folder: str, runner: str, look_s: str) -> None:
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    default_user_config["batch"] = {"use_docker": False}
    paths = {"python3": sys.executable, "/opt/esteira/runner.pyz": runner}
    batch = Batch(Path(folder), definition_of, paths)
    server = make_server("127.0.0.1", int(port), Application(batch), threaded=True)
    with interpreter(client_of(batch), look_s=float(look_s)):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print("ready", flush=True)
        sys.stdin.read()
        batch.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
