"""What was found, and where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from holdfast.lint.rules import RULES, Rule


@dataclass(frozen=True, slots=True)
class Finding:
    """`workflow` is the one whose run gets there, `via` the functions in between, the last one holding the place."""

    code: str
    path: Path
    line: int
    column: int
    end_line: int
    text: str
    help: str
    workflow: str = ""
    via: tuple[str, ...] = ()

    @property
    def rule(self) -> Rule:
        return RULES[self.code]

    @property
    def message(self) -> str:
        if not self.workflow:
            return self.text
        if not self.via:
            return f"{self.text} (in workflow {self.workflow})"
        return f"{self.text} (in {self.via[-1]}, reached by workflow {self.workflow}{_way(self.via[:-1])})"


def _way(via: tuple[str, ...]) -> str:
    return f" through {', '.join(via)}" if via else ""
