"""verify."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import httpx

from api_app.client import completing, lookup, signatures, verifying
from api_app.client.credentials import is_loopback
from api_app.client.errors import LocalFileError, UnreachableError
from api_app.client.exit_codes import ExitCode
from api_app.client.options import Connection, as_json, connection, examples
from api_app.client.screen.neutral import one_line
from api_app.client.screen.screen import Screen
from api_app.client.screen.words import count
from api_app.client.session import Session, session
from api_app.client.verifying import Verdict


@click.command(
    epilog=examples(
        "esteira verify results.zip",
        "esteira verify out/ --job 0f3a91c2",
        "esteira verify results.zip --keys https://esteira.example.org/api/v1/signing-keys",
    )
)
@click.argument("target", metavar="DIR|ZIP|JOB", shell_complete=completing.jobs_or_paths)
@click.option(
    "--job",
    shell_complete=completing.jobs,
    metavar="JOB",
    help="Take the manifest of this job, where DIR or ZIP has none.",
)
@click.option(
    "--keys",
    metavar="FILE|URL",
    help="Public keys to trust: a JSON Web Key Set, one key in PEM, or its address. Without it, those of the platform.",
)
@click.option("--partial", is_flag=True, help="Files of the job may be missing: this is a selection of them.")
@as_json
@connection
@click.pass_obj
def verify(
    connected: Connection, *, target: str, job: str | None, keys: str | None, partial: bool, is_json: bool
) -> int:
    """Check that results are what the platform signed.

    \b
    Exit codes: 0 all is as signed; 1 a file is changed, missing or not signed,
    or the signature does not hold; 2 it cannot be checked; 4 the platform
    cannot be reached.
    """  # noqa: D301 - \b is click's own mark and has to be the control character
    path = Path(target)
    screen = Screen(is_json=is_json)
    if not path.exists():
        with session(connected, is_json=is_json) as current:
            wanted = lookup.job_id(current.client, target)
            statement, key = signatures.opened(current.client.manifest(wanted), _keys(current, keys))
            _require_job(statement, wanted)
            return _tell(screen, statement, key, _on_platform(current, statement), partial=partial)
    with verifying.source_of(path) as source:
        envelope, wanted = None if job else verifying.manifest_in(source), ""
        if envelope is not None and keys:
            trusted = _given_keys(keys)
        else:
            with session(connected, is_json=is_json) as current:
                if envelope is None and not job:
                    raise signatures.NotCheckableError(
                        f"{target} has no {verifying.MANIFEST}. Name the job that it is from: --job JOB"
                    )
                if envelope is None:
                    wanted = lookup.job_id(current.client, job or "")
                    envelope = current.client.manifest(wanted)
                trusted = _keys(current, keys)
        statement, key = signatures.opened(envelope, trusted)
        _require_job(statement, wanted)
        verdict = verifying.check(verifying.subjects_of(statement), source)
    if path.is_dir():
        # Other files of one's own may lie there; in an archive nothing has a reason to.
        _note_unsigned(screen, verdict)
        verdict.unsigned = []
    return _tell(screen, statement, key, verdict, partial=partial)


def _note_unsigned(screen: Screen, verdict: Verdict) -> None:
    if verdict.unsigned:
        some = ", ".join(one_line(name) for name in verdict.unsigned[:5])
        screen.note(f"Not of this job, and not checked: {count(len(verdict.unsigned), 'file')} ({some}).")


def _require_job(statement: Mapping[str, Any], wanted: str) -> None:
    """A good signature says only that it was signed: whoever answers for the platform could show another job's."""
    try:
        there = str(_job_of(statement)["job"])
    except (KeyError, TypeError) as fault:
        raise signatures.NotCheckableError("What is signed speaks of no job: it is not Esteira's.") from fault
    if wanted and there.replace("-", "") != wanted.replace("-", ""):
        raise signatures.BadSignatureError(
            f"The manifest is of job {there}, not of {wanted}. Somebody shows another one; do not trust these files."
        )


def _keys(current: Session, given: str | None) -> list[signatures.Key]:
    return _given_keys(given) if given else signatures.read_keys(current.client.signing_keys())


def _given_keys(given: str) -> list[signatures.Key]:
    if given.startswith(("https://", "http://")):
        if given.startswith("http://") and not is_loopback(given):
            raise signatures.NotCheckableError(
                f"Anybody on the way could put other keys in the place of those at {given}. "
                "Give an https:// address, or a file."
            )
        try:
            answer = httpx.get(given, timeout=20).raise_for_status()
        except httpx.HTTPError as fault:
            raise UnreachableError(f"The keys at {given} cannot be fetched ({fault}).") from fault
        return signatures.read_keys(answer.text)
    try:
        return signatures.read_keys(Path(given).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as fault:
        raise LocalFileError(f"Cannot read the keys in {given} ({fault}).") from fault


def _on_platform(current: Session, statement: Mapping[str, Any]) -> Verdict:
    """What is kept there, fetched and thrown away."""
    verdict = Verdict()
    kept = {one["id"] for one in current.client.results(_job_of(statement)["job"])}
    for subject in verifying.subjects_of(statement):
        if subject.file in kept:
            _judge_there(current, verdict, subject)
        elif subject.file:
            verdict.missing.append(subject.name)
    return verdict


def _judge_there(current: Session, verdict: Verdict, subject: verifying.Subject) -> None:
    try:
        verifying.judge(verdict, subject, lambda: current.client.open_file(subject.file))
    except httpx.TransportError as fault:
        raise UnreachableError(f"{current.base_url} stopped answering ({fault}). Verify again in a minute.") from fault


def _job_of(statement: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = statement["predicate"]["buildDefinition"]["internalParameters"]
    return found


def _tell(screen: Screen, statement: Mapping[str, Any], key: signatures.Key, verdict: Verdict, *, partial: bool) -> int:
    is_good = not verdict.changed and not verdict.unsigned and (partial or not verdict.missing)
    if screen.is_json:
        about = {"ok": is_good, "key": key.id, "statement": statement}
        found = {"good": verdict.good, "changed": verdict.changed, "missing": verdict.missing}
        screen.json(about | found | {"unsigned": verdict.unsigned})
        return ExitCode.DONE if is_good else ExitCode.FAILED
    job, definition = _job_of(statement), statement["predicate"]["buildDefinition"]["externalParameters"]
    builder = statement["predicate"]["runDetails"]["builder"]["id"]
    screen.say(
        f"Signed by {one_line(builder)} with key {key.id[:16]}: job {job['job']}, run {job['run']}, {job['state']},"
    )
    screen.say(f"{one_line(definition['pipeline'])} {one_line(definition['version'])}.")
    for name, why in verdict.changed.items():
        screen.say(f"CHANGED     {one_line(name)}: {why}")
    for name in verdict.missing:
        screen.say(f"{'not here' if partial else 'MISSING':<11} {one_line(name)}")
    for name in verdict.unsigned:
        screen.say(f"NOT SIGNED  {one_line(name)}")
    wrong = len(verdict.changed) + len(verdict.unsigned) + (0 if partial else len(verdict.missing))
    good = f"{count(len(verdict.good), 'file')} {'is' if len(verdict.good) == 1 else 'are'} as signed"
    screen.say(f"{good}." if is_good else f"{good}, {wrong:,} not. Do not trust them; fetch them anew.")
    return ExitCode.DONE if is_good else ExitCode.FAILED
