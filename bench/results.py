"""What a scenario found, as rows of a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

COLUMNS: Mapping[str, str] = {  # name in a row -> heading; the order of the table
    "per_s": "per s",
    "steps_per_s": "steps/s",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "sidecar_us": "sidecar us",
    "app_us": "app us",
    "sidecar_us_step": "sidecar us/step",
    "commits": "commits",
    "per_write": "per write",
    "rss_mb": "RSS MB",
    "python_x": "Python x",
}


@dataclass
class Row:
    scenario: str
    client: str
    case: str
    values: dict[str, float] = field(default_factory=dict[str, float])
    note: str = ""


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def table(rows: Iterable[Row]) -> str:
    """Columns that every scenario has in common, and what it found besides behind them."""
    lines = [["client", "case", *COLUMNS.values(), "else"]]
    for row in rows:
        cells = [_number(row.values[name]) if name in row.values else "" for name in COLUMNS]
        besides = [f"{name} {_number(value)}" for name, value in row.values.items() if name not in COLUMNS]
        lines.append([row.client, f"{row.scenario} {row.case}", *cells, ", ".join([*besides, row.note]).strip(", ")])
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "\n".join(_line(line, widths) for line in lines)


def save(path: Path, *, facts: Mapping[str, object], rows: Iterable[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**facts, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if place < 2 or place == len(cells) - 1 else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()


def _number(value: float) -> str:
    if value and abs(value) < 10:
        return f"{value:.2f}"
    return f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"
