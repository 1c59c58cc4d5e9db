"""Random plans, drawn from a seed."""

from __future__ import annotations

from random import Random

from tests.simulation.program import Plan, Step


class Planner:
    """Draws plans. Event names are unique over the whole world, so that every event has one place where it belongs."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._events = 0
        self._detached = 0
        self.targets: list[str] = []

    def plan(self, depth: int = 2) -> Plan:
        rng = self._rng
        steps = [self._step(depth) for _ in range(rng.randint(1, 4))]
        drawn = rng.random()
        if drawn < 0.15 and depth:
            steps.append(["again", self.plan(depth - 1)])
        elif drawn < 0.22:
            steps.append(["fail"])
        elif drawn < 0.34:
            steps.append(["fire"])
        return steps

    def _step(self, depth: int) -> Step:
        rng = self._rng
        kind = rng.choices(
            ["call", "fan", "retry", "race", "sleep", "wait", "child", "loose", "detach", "send", "status"],
            [6, 3, 2, 3, 3, 4, 3 * bool(depth), 1 * bool(depth), 1 * bool(depth), 2, 1],
        )[0]
        match kind:
            case "call":
                return ["call", rng.choice("abc")]
            case "fan":
                return ["fan", rng.randint(2, 6)]
            case "retry":
                return ["retry", rng.randint(0, 2)]
            case "race":
                return ["race", rng.choice([1, 20, 200, 2000])]
            case "sleep":
                return ["sleep", rng.choice([-5, 0, 10, 100, 1000, 5000, 30000])]
            case "wait":
                self._events += 1
                return ["wait", f"e{self._events}"]
            case "child" | "loose":
                return [kind, self.plan(depth - 1)]
            case "detach":
                self._detached += 1
                return ["detach", f"d{self._detached}", self.plan(0)]
            case "send":
                self._events += 1
                return ["send", rng.choice(self.targets), f"s{self._events}", f"p{self._events}"]
            case _:
                return ["status", rng.choice(["one", "two"])]
