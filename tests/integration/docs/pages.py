"""Pages as lists of their code blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
_BLOCK = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """`note` is what follows the language: the name of a file."""

    page: str
    line: int
    language: str
    note: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(name: str) -> list[Block]:
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    return [
        Block(name, page.count("\n", 0, found.start()) + 1, found[1], found[2].strip(), found[3])
        for found in _BLOCK.finditer(page)
    ]


def markdown_files() -> list[Path]:
    """All pages of the project, those of the rooms among them."""
    hidden = ("node_modules", "site-packages")
    return sorted(
        path
        for path in ROOT.rglob("*.md")
        if not any(part.startswith(".") or part in hidden for part in path.relative_to(ROOT).parts)
    )
