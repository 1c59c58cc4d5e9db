"""The rules, by code. What each means, with a wrong and a right example, stands in docs/lint.md."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    ERROR = "error"  # the run can stall, fail or lose work
    WARNING = "warning"  # the run is right, but people are misled


@dataclass(frozen=True, slots=True)
class Rule:
    """`why` follows the name of what was found; `help` says what to write instead."""

    code: str
    name: str
    why: str
    help: str
    severity: Severity = Severity.ERROR


_ROWS: Final = (
    Rule("HF001", "unreadable", "cannot be read", "mend the file"),
    Rule("HF101", "clock", "gives another time at each replay", "use ctx.now(), or ctx.time_ns()"),
    Rule("HF102", "random", "gives another value at each replay", "use ctx.random"),
    Rule("HF103", "uuid", "gives another id at each replay", "use ctx.uuid4()"),
    Rule(
        "HF104",
        "environment",
        "may differ on the machine that replays",
        "read it in an activity, or pass it in the workflow's input",
    ),
    Rule(
        "HF105",
        "identity-or-hash",
        "differs in every process",
        "use a value of your own as the key; hashlib gives stable digests",
    ),
    Rule(
        "HF106", "unordered-set", "comes in another order in every process", "iterate sorted(...) of it, or keep a list"
    ),
    Rule("HF201", "blocking-sleep", "blocks every workflow of the worker", "use await ctx.sleep(...)"),
    Rule("HF202", "file", "touches files, again at each replay", "do it in an activity and await ctx.call(...)"),
    Rule("HF203", "network", "uses the network, again at each replay", "do it in an activity and await ctx.call(...)"),
    Rule("HF204", "process", "starts a process, again at each replay", "do it in an activity and await ctx.call(...)"),
    Rule(
        "HF205",
        "thread",
        "runs beside the replay, in no order that repeats",
        "run it in an activity (a plain `def` gets a thread of its own) and await ctx.call(...)",
    ),
    Rule(
        "HF206",
        "foreign-loop",
        "belongs to another event loop than the workflow's",
        "create it inside the workflow, or send the workflow an event and await ctx.event(...)",
    ),
    Rule(
        "HF301",
        "global-write",
        "changes state that all runs of the process share",
        "keep it in a local variable, or pass it on with ctx.continue_as_new(...)",
    ),
    Rule("HF401", "undeclared", "is not declared", "decorate it with @holdfast.activity, or pass its name as a string"),
    Rule("HF402", "not-awaited", "is not awaited: its result and its error are lost", "write await before it"),
    Rule(
        "HF403",
        "swallowed",
        "swallows what ends the run, such as ctx.continue_as_new()",
        "catch Exception, or raise again what was caught",
    ),
    Rule(
        "HF404",
        "late-wait",
        "runs after ctx.continue_as_new(): the next run waits for it, and never begins if it fails",
        "decide inside the block, call ctx.continue_as_new() after it",
        Severity.WARNING,
    ),
    Rule("HF405", "direct-activity", "runs inside the workflow, again at each replay", "use await ctx.call(...)"),
    Rule(
        "HF501",
        "output",
        "is written again at each replay",
        "use ctx.log, which is silent during replay",
        Severity.WARNING,
    ),
    Rule(
        "HF502",
        "is-replaying",
        "lets the code do something else at a replay",
        "write for both cases alike; ctx.log already knows the difference",
        Severity.WARNING,
    ),
)
RULES: Final[dict[str, Rule]] = {rule.code: rule for rule in _ROWS}
