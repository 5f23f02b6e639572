"""One good request for each operation, made of the document's examples and of things that are really there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from api_app.main import app

if TYPE_CHECKING:
    import httpx

    from tests.api.door import Door
    from tests.fuzz.world import World

FORM: Final = "multipart/form-data"
JSON: Final = "application/json"


class Asked(NamedTuple):
    name: str
    method: str
    path: str
    """As the document has it."""
    url: str
    options: dict[str, Any]

    def send(self, door: Door, token: str) -> httpx.Response:
        return door.send(self.method, self.url, token, **self.options)


def asked(world: World) -> list[Asked]:
    document = world.fitted(app.openapi())
    itself = Asked("show_openapi", "GET", "/api/v1/openapi.json", "/api/v1/openapi.json", {})
    return [itself] + [
        _asked(world, method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _asked(world: World, method: str, path: str, operation: dict[str, Any]) -> Asked:
    url, params = path, {}
    for one in operation.get("parameters", ()):
        if one["in"] == "path":
            url = url.replace(f"{{{one['name']}}}", str(one["example"]))
        elif one["in"] == "query" and (one.get("required") or one["name"] == "workspace"):
            params[one["name"]] = one.get("example", world.slug)
    content = operation.get("requestBody", {}).get("content", {})
    return Asked(operation["operationId"], method, path, url, {"params": params, **_body(content, world.slug)})


def _body(content: dict[str, Any], slug: str) -> dict[str, Any]:
    if JSON in content:
        said = content[JSON]["example"]
        return {"json": said | {"workspace": slug} if said.get("workspace") == "" else said}
    if FORM in content:
        said = content[FORM]["example"]
        return {"files": [(name, (None, str(value))) for name, value in said.items() if isinstance(value, str)]}
    for media, one in content.items():
        return {"content": str(one["example"]).encode(), "headers": {"Content-Type": media}}
    return {}
