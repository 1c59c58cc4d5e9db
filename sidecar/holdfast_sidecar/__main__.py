"""`holdfast sidecar` and `holdfast dev`: flags to a configuration, and the program's exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from holdfast_kit.config import ConfigErrors
from holdfast_kit.serve import ExitCode
from holdfast_sidecar import compose
from holdfast_sidecar.config import load_config
from holdfast_sidecar.startup import Unstartable

_SAYS_MORE = "Everything can also be set by HOLDFAST_… variables; docs/configuration.md lists them."


def main(arguments: Sequence[str] | None = None) -> int:
    """The sidecar as it is deployed: a file, the environment over it, flags over both."""
    parser = argparse.ArgumentParser(
        prog="holdfast sidecar", description="Run a sidecar for an app.", epilog=_SAYS_MORE
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML file with settings")
    _add_settings(parser)
    flags = vars(parser.parse_args(arguments))
    return _run(flags.pop("config"), flags)


def dev(arguments: Sequence[str] | None = None) -> int:
    """One process with the embedded store, for a developer's machine."""
    parser = argparse.ArgumentParser(
        prog="holdfast dev",
        description="Run a sidecar on this machine, with its state in a directory here.",
        epilog=_SAYS_MORE,
    )
    _add_settings(parser)
    return _run(None, vars(parser.parse_args(arguments)))


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Values are looked at with all the others, so that every problem is told together."""
    parser.add_argument("--grpc-port", metavar="PORT", help="where apps connect (50001)")
    parser.add_argument("--http-port", metavar="PORT", help="HTTP API and metrics (3500)")
    parser.add_argument("--data-dir", metavar="DIR", help="where the embedded store keeps its file (.holdfast)")
    parser.add_argument("--store", metavar="URL", help="another store: memory:, redis://…, postgresql://…")


def _run(file: Path | None, flags: Mapping[str, object]) -> int:
    try:
        mapping = compose.read_file(file) if file else None
        config = load_config(mapping, os.environ, flags)
        return compose.run(config)
    except (ConfigErrors, Unstartable) as error:
        print(f"holdfast: {error}", file=sys.stderr)
        return ExitCode.MISUSED


if __name__ == "__main__":
    sys.exit(main())
