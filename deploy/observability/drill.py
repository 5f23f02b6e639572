"""Fires every alarm once, on purpose, so that somebody finds out whether anybody is reached.

    python deploy/observability/drill.py --alertmanager http://alertmanager.monitoring:9093
    python deploy/observability/drill.py --cloudwatch esteira-staging

Alertmanager is handed each alert of rules.yaml as Prometheus would; it ends by itself after --minutes. CloudWatch is
told to set each metric alarm to ALARM, and goes back to the truth with its next look. Whether a rule rings when it
should is tested elsewhere; this is about what comes after. docs/alarm-drill.md is where the answers are written down.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

RULES: Final = Path(__file__).with_name("rules.yaml")
EDGE: Final = "us-east-1"
"""Alarms of CloudFront and of its certificate are there, wherever the rest is."""
SAID: Final = "Drill: nothing is wrong. Write down when you were reached."


def alerts(rules: Path = RULES) -> list[dict[str, Any]]:
    groups = yaml.safe_load(rules.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def ring_alertmanager(url: str, *, minutes: int, only: list[str]) -> list[str]:
    now = datetime.now(UTC)
    rung: list[dict[str, Any]] = [
        {
            "labels": {**rule["labels"], "alertname": rule["alert"], "drill": "yes"},
            # The rule's own sentence speaks of values that there are not now.
            "annotations": {"summary": SAID, "runbook_url": rule["annotations"]["runbook_url"]},
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(minutes=minutes)).isoformat(),
        }
        for rule in alerts()
        if not only or rule["alert"] in only
    ]
    request = urllib.request.Request(  # noqa: S310  the address is the caller's own
        f"{url.rstrip('/')}/api/v2/alerts",
        data=json.dumps(rung).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310  as above
        return [str(alert["labels"]["alertname"]) for alert in rung]


def ring_cloudwatch(prefix: str, *, only: list[str]) -> list[str]:
    rung: list[str] = []
    here = _aws("configure", "get", "region").strip() or EDGE
    for region in dict.fromkeys((here, EDGE)):
        listed = _aws(
            "cloudwatch", "describe-alarms", "--region", region, "--alarm-name-prefix", f"{prefix}-",
            "--query", "MetricAlarms[].AlarmName", "--output", "json",
        )  # fmt: skip
        for alarm in sorted(json.loads(listed)):
            if only and alarm.removeprefix(f"{prefix}-") not in only:
                continue
            _aws(
                "cloudwatch", "set-alarm-state", "--region", region, "--alarm-name", alarm,
                "--state-value", "ALARM", "--state-reason", SAID,
            )  # fmt: skip
            rung.append(alarm)
    return rung


def _aws(*words: str) -> str:
    done = subprocess.run(["aws", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"aws {' '.join(words[:2])}: {done.stderr.strip()}")
    return done.stdout


def main(words: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Fire every alarm once, on purpose.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--alertmanager", metavar="URL")
    where.add_argument("--cloudwatch", metavar="NAME", help="the environment, such as esteira-staging")
    parser.add_argument("--only", nargs="+", default=[], metavar="ALARM")
    parser.add_argument("--minutes", type=int, default=10, help="until Alertmanager's end by themselves (%(default)s)")
    parser.add_argument("--production", action="store_true", help="people on call were told")
    asked = parser.parse_args(words)
    if asked.cloudwatch and "prod" in asked.cloudwatch and not asked.production:
        parser.error("that is production: tell who is on call, then say --production")
    if asked.cloudwatch:
        rung = ring_cloudwatch(asked.cloudwatch, only=asked.only)
    else:
        rung = ring_alertmanager(asked.alertmanager, minutes=asked.minutes, only=asked.only)
    if not rung:
        sys.exit("There is no such alarm: nothing was rung.")
    sys.stdout.write("\n".join(rung) + f"\n{len(rung)} alarms rang at {datetime.now(UTC):%H:%M:%S} UTC.\n")


if __name__ == "__main__":
    main()
