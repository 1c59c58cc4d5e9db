"""`holdfast placement`: one replica of the placement service."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from holdfast_kit import logs
from holdfast_kit.config import ConfigErrors, keys, load
from holdfast_kit.serve import ExitCode, serve
from holdfast_placement.compose import MissingExtra, Replica, check_extras, loop_factory, read_yaml
from holdfast_placement.config import Config

_FLAGS = (
    ("--replica-id", "replica_id", "name of this replica; default: the machine's name and the process"),
    ("--host", "listen.host", "where sidecars reach this replica; default 127.0.0.1"),
    ("--port", "listen.port", "its port; default 50005, 0 takes a free one"),
    ("--http-host", "http.host", "where the page, metrics and health are; default 127.0.0.1"),
    ("--http-port", "http.port", "their port; default 8081, 0 takes a free one"),
    ("--etcd", "etcd.endpoints", "etcd's endpoints, host:port with commas between; default 127.0.0.1:2379"),
    ("--lease", "lease", "silence after which a sidecar is dead; default 3s"),
    ("--log-level", "log.level", "DEBUG, INFO, WARNING or ERROR; default INFO"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code; 2 for wrong flags, configuration or a missing extra."""
    arguments = vars(_parser().parse_args(argv))
    try:
        check_extras()
        config = _config(arguments, os.environ)
    except (ConfigErrors, MissingExtra) as error:
        print(f"holdfast placement: {error}", file=sys.stderr)
        return ExitCode.MISUSED
    logs.setup(config.log.level, config.log.format)
    return serve(Replica(config, watch_loop=True), drain_limit=config.drain_limit, loop_factory=loop_factory())


def _config(arguments: Mapping[str, str | None], environ: Mapping[str, str]) -> Config:
    """Flags over environment over file."""
    file = arguments["config"]
    found = read_yaml(Path(file)) if file else None
    env_of = {key.path: key.env for key in keys(Config)}
    flags = {env_of[path]: value for _, path, _ in _FLAGS if (value := arguments[path]) is not None}
    return load(Config, found, {**environ, **flags})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="holdfast placement",
        description="One replica of the placement service: it knows which sidecar owns which partition, by etcd.",
        epilog=_reference(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", metavar="FILE", help="YAML file; the environment and flags win over it")
    for flag, path, text in _FLAGS:
        parser.add_argument(flag, dest=path, metavar=path.rpartition(".")[2].upper(), help=text)
    return parser


def _reference() -> str:
    lines = [f"  {key.path:<20} {key.env}" for key in keys(Config)]
    return "settings of the file, and their names in the environment:\n" + "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
