"""`holdfast lint PATH...`: what in workflow code cannot be replayed, found without running it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from holdfast.lint import RULES, check, checked_files, report

CLEAN: Final = 0
FOUND: Final = 1
MISUSED: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 nothing found, 1 something found, 2 a wrong call."""
    flags = _parser().parse_args(arguments)
    paths = [Path(path) for path in flags.paths]
    problems = [f"{path}: expected a file or a folder, found none" for path in paths if not path.exists()]
    selected, ignored = _codes(flags.select, "--select", problems), _codes(flags.ignore, "--ignore", problems)
    if problems:
        for problem in problems:
            print(f"holdfast lint: {problem}", file=sys.stderr)
        return MISUSED
    findings = check(paths, codes=(selected or set(RULES)) - ignored)
    match flags.format:
        case "json":
            print(report.as_json(findings))
        case "github":
            print(report.github(findings), end="\n" if findings else "")
        case _:
            print(report.text(findings, checked_files(paths)))
    return FOUND if findings else CLEAN


def _codes(given: Iterable[str], flag: str, problems: list[str]) -> set[str]:
    """Whole codes, or how they begin: HF1 is every HF1xx."""
    found: set[str] = set()
    for word in ",".join(given).replace(",", " ").split():
        fitting = {code for code in RULES if code.startswith(word.upper())}
        if not fitting:
            problems.append(f"{flag} {word}: expected a rule such as {', '.join(list(RULES)[1:4])}, found no such rule")
        found |= fitting
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="holdfast lint",
        description="Find what cannot be replayed in workflow functions and in the functions that they call: clocks, "
        "chance, environment, I/O, threads, unordered sets, shared state. Nothing is imported or run. "
        "docs/lint.md explains each rule. `# holdfast: ignore[HF101]` at the end of a line switches a rule off there.",
        epilog="exit codes: 0 nothing found, 1 something found, 2 wrong call",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a file, or a folder with everything below it")
    parser.add_argument("--select", action="append", default=[], metavar="CODES", help="only these rules (HF101,HF2)")
    parser.add_argument("--ignore", action="append", default=[], metavar="CODES", help="not these rules")
    parser.add_argument("--format", choices=("text", "json", "github"), default="text", help="default: text")
    return parser
