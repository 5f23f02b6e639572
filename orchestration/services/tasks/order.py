"""What the runner of a task is told beside what every step is told: its walls, its folders, its programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from orchestration.errors import Forbidden
from orchestration.services.tasks.places import places

if TYPE_CHECKING:
    from orchestration.models import Job

# Whoever may send commands may send any. Without these walls they would be the platform's own account.
WALLS: Final = "bubblewrap"
OFF: Final = (
    "This installation runs no tasks of others. An administrator can allow images: ESTEIRA_TES_IMAGES=IMAGE=host."
)


def task_order(job: Job) -> dict[str, Any]:
    """Looked at each time: what was allowed when the task was sent may be no longer. Raises Forbidden."""
    task = json.loads(job.params["task"])
    layers = {image: layer_of(image) for image in {executor["image"] for executor in task["executors"]}}
    return {
        "isolation": WALLS,
        "network": settings.TES_NETWORK,
        "env": {"TASK_LAYERS": json.dumps(layers)},
        "places": places(task),
        "layers": sorted({layer for layer in layers.values() if layer}),
    }


def layer_of(image: str) -> str:
    """The folder of programs that stands for an image; "" for this machine's own. Raises Forbidden."""
    images: dict[str, str] = settings.TES_IMAGES
    if not images:
        raise Forbidden(OFF)
    if image not in images:
        raise Forbidden(
            f"Image {image[:200]!r} cannot be run here: this engine has no containers. Images that an administrator "
            f"has mapped to programs of this machine (ESTEIRA_TES_IMAGES): {', '.join(sorted(images))}."
        )
    return images[image]
