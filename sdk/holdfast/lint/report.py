"""Findings as text for people, JSON for programs, annotations for a code host."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from holdfast.lint.findings import Finding
from holdfast.lint.rules import Severity


def text(findings: Sequence[Finding], files: int) -> str:
    lines = [line for finding in findings for line in _block(finding)]
    if not findings:
        return f"{files} {_plural(files, 'file')} looked at, nothing found"
    warnings = sum(finding.rule.severity is Severity.WARNING for finding in findings)
    errors = len(findings) - warnings
    parts = [f"{n} {_plural(n, word)}" for n, word in ((errors, "error"), (warnings, "warning")) if n]
    return "\n".join([*lines, f"{files} {_plural(files, 'file')} looked at, found {' and '.join(parts)}"])


def _block(finding: Finding) -> Iterable[str]:
    yield f"{_shown(finding.path)}:{finding.line}:{finding.column}: {finding.code} {finding.message}"
    yield f"    help: {finding.help}"


def as_json(findings: Sequence[Finding]) -> str:
    return json.dumps([_row(finding) for finding in findings], indent=2, ensure_ascii=False)


def _row(finding: Finding) -> dict[str, object]:
    return {
        "code": finding.code,
        "name": finding.rule.name,
        "severity": finding.rule.severity,
        "path": _shown(finding.path),
        "line": finding.line,
        "column": finding.column,
        "end_line": finding.end_line,
        "message": finding.message,
        "help": finding.help,
        "workflow": finding.workflow,
        "via": list(finding.via),
    }


def github(findings: Sequence[Finding]) -> str:
    """Workflow commands: a line each that annotates the place in a pull request."""
    return "\n".join(map(_annotation, findings))


def _annotation(finding: Finding) -> str:
    where = f"file={_property(_shown(finding.path))},line={finding.line},endLine={finding.end_line}"
    title = _property(f"{finding.code} {finding.rule.name}")
    text = _data(f"{finding.message}; {finding.help}")
    return f"::{finding.rule.severity} {where},col={finding.column},title={title}::{text}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _shown(path: Path) -> str:
    """From here, if it lies below."""
    here = Path.cwd()
    whole = path.absolute()
    return str(whole.relative_to(here) if whole.is_relative_to(here) else path)


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"
