"""RO-Crate 1.2 with the profile of one process run, made from the statement that is signed. No database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SPEC: Final = "https://w3id.org/ro/crate/1.2"
PROFILE: Final = "https://w3id.org/ro/wfrun/process/0.5"
_STATUS: Final = "http://schema.org/CompletedActionStatus"
_FAILED: Final = "http://schema.org/FailedActionStatus"

type Entity = dict[str, Any]


def crate_of(statement: Mapping[str, Any], *, name: str, descriptor: str, manifest: str) -> dict[str, object]:
    """`descriptor` is the crate's own file, `manifest` that of the signed statement beside it."""
    made = statement["predicate"]["runDetails"]
    files = [_file(subject) for subject in statement["subject"]]
    inputs, params, tool = _inputs(statement), _params(statement), _tool(statement)
    run = {
        "@id": f"urn:uuid:{_invocation(statement)['job']}",
        "@type": "CreateAction",
        "name": f"Run {_invocation(statement)['run']} of {name}",
        "instrument": _to(tool),
        "object": [_to(one) for one in [*inputs, *params]],
        "result": [_to(one) for one in files],
        "actionStatus": _STATUS if _invocation(statement)["state"] == "SUCCEEDED" else _FAILED,
        "endTime": made["metadata"]["finishedOn"],
    } | ({"startTime": made["metadata"]["startedOn"]} if "startedOn" in made["metadata"] else {})
    signed = {
        "@id": quote(manifest), "@type": "File", "name": "The signed manifest", "encodingFormat": "application/json",
        "description": "A DSSE envelope over an in-toto statement: `esteira verify` checks it and every file.",
    }  # fmt: skip
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": name,
        "description": f"Results of {tool['name']} {tool['version']}, made by Esteira at {made['builder']['id']}.",
        "datePublished": made["metadata"]["finishedOn"],
        "conformsTo": {"@id": PROFILE},
        "hasPart": [_to(one) for one in [*files, signed]],
        "mentions": _to(run),
    }
    profile = {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    head = {
        "@id": descriptor, "@type": "CreativeWork", "about": {"@id": "./"}, "conformsTo": {"@id": SPEC},
    }  # fmt: skip
    graph = [head, root, profile, run, tool, *inputs, *params, *files, signed]
    return {"@context": f"{SPEC}/context", "@graph": graph}


def _to(entity: Entity) -> Entity:
    return {"@id": entity["@id"]}


def _invocation(statement: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = statement["predicate"]["buildDefinition"]["internalParameters"]
    return found


def _file(subject: Mapping[str, Any]) -> Entity:
    return {
        "@id": quote(subject["name"]),
        "@type": "File",
        "name": subject["name"],
        "contentSize": str(subject["annotations"]["size"]),
        "encodingFormat": subject["annotations"]["mediaType"],
        "sha256": subject["digest"]["sha256"],
    }


def _tool(statement: Mapping[str, Any]) -> Entity:
    given = statement["predicate"]["buildDefinition"]["externalParameters"]
    digest = _dependencies(statement, "pipeline")[0]["digest"]["sha256"]
    return {
        "@id": f"#pipeline-{given['pipeline']}",
        "@type": "SoftwareApplication",
        "name": given["pipeline"],
        "version": given["version"],
        "identifier": f"sha256:{digest}",
    }


def _inputs(statement: Mapping[str, Any]) -> list[Entity]:
    """They do not travel along, so they are described and no data of the crate."""
    return [
        {"@id": f"#input-{n}", "@type": "CreativeWork", "name": one["name"], "identifier": f"sha256:{digest}"}
        for n, one in enumerate(_dependencies(statement, "input"))
        for digest in one["digest"].values()
    ]


def _params(statement: Mapping[str, Any]) -> list[Entity]:
    given = statement["predicate"]["buildDefinition"]["externalParameters"]["params"]
    return [
        {"@id": f"#param-{quote(name)}", "@type": "PropertyValue", "name": name, "value": _plain(value)}
        for name, value in sorted(given.items())
    ]


def _plain(value: Any) -> Any:
    """JSON-LD would take a nested object for an entity."""
    return value if isinstance(value, bool | int | float | str) else str(value)


def _dependencies(statement: Mapping[str, Any], kind: str) -> Sequence[Mapping[str, Any]]:
    found = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    return [one for one in found if one["annotations"]["kind"] == kind]
