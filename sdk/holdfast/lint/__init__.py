"""Finds what cannot be replayed in workflow functions and in what they call, without running them.

    for finding in lint.check([Path("app")]):
        print(finding.path, finding.line, finding.code, finding.message)

Rules and examples: docs/lint.md. On the command line: `holdfast lint app`.
"""

from holdfast.lint.findings import Finding
from holdfast.lint.rules import RULES, Rule, Severity
from holdfast.lint.search import check, checked_files

__all__ = ["RULES", "Finding", "Rule", "Severity", "check", "checked_files"]
