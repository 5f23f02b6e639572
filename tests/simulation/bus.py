"""EventBridge and SQS by their documents: at least once or best effort, in any order, put aside in the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.simulation.world import LATE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.world import World

MOST_DELIVERIES: Final = 5
VISIBILITY_S: Final = 30.0
BATCH: Final = 10


@dataclass(slots=True, eq=False)
class Message:
    kind: str
    detail: dict[str, Any]
    arrived_at: float = 0.0
    visible_at: float = 0.0
    times: int = 0


@dataclass(slots=True)
class Bus:
    world: World
    wake: Callable[[], None]
    queue: list[Message] = field(default_factory=list)
    aside: list[Message] = field(default_factory=list)
    on_the_way: int = 0
    slowest_s: float = 0.0

    def publish(self, kind: str, detail: dict[str, Any]) -> None:
        world = self.world
        if world.is_away("events") or world.strikes("event lost", world.chaos.drop):
            return
        if kind == "execution" and world.befalls("best effort", 0.05):
            return
        copies = world.rng.randint(2, 5) if world.strikes("event doubled", world.chaos.double) else 1
        for _ in range(copies):
            is_late = world.strikes("event late", world.chaos.late)
            delay = world.rng.uniform(20, LATE_S) if is_late else world.rng.uniform(0.1, 3)
            self.on_the_way += 1
            world.at(delay, self._arrive, Message(kind, detail))

    def poison(self, delay: float) -> None:
        self.on_the_way += 1
        self.world.at(delay, self._arrive, Message("poison", {}))

    def _arrive(self, message: Message) -> None:
        self.on_the_way -= 1
        message.arrived_at = self.world.now
        self.queue.append(message)
        self.wake()

    # -- what the consumer asks ------------------------------------------------------------------------------------

    def receive(self) -> list[Message]:
        """Some of those that are visible, in no order."""
        now, world = self.world.now, self.world
        ready = [one for one in self.queue if one.visible_at <= now]
        world.rng.shuffle(ready)
        given = []
        for message in ready[:BATCH]:
            if message.times >= MOST_DELIVERIES:
                self.queue.remove(message)
                self.aside.append(message)
                world.say(f"a message is put aside: {message.kind}")
                continue
            message.times += 1
            message.visible_at = now + VISIBILITY_S
            given.append(message)
        return given

    def delete(self, message: Message) -> None:
        if message in self.queue:
            self.queue.remove(message)
            self.slowest_s = max(self.slowest_s, self.world.now - message.arrived_at)

    def next_visible_in(self) -> float | None:
        return min((one.visible_at - self.world.now for one in self.queue), default=None)
