"""`holdfast inspect ID`: what is stored of an instance, from a sidecar that runs or from its store."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Final, cast
from urllib.parse import quote

import msgspec

from holdfast_kit.config import ConfigErrors
from holdfast_kit.serve import ExitCode
from holdfast_placement.table import partition_of
from holdfast_sidecar.api.http_json import fact_json
from holdfast_sidecar.compose import existing_store
from holdfast_sidecar.config import Config, load_config
from holdfast_sidecar.core.errors import InstanceNotFound
from holdfast_sidecar.startup import Unstartable
from holdfast_sidecar.stores.contract import StoreError
from holdfast_sidecar.stores.inspect import inspect

TIMEOUT: Final = 10.0  # seconds; a sidecar that needs longer to read one instance has another problem


class Unanswered(Exception):
    """The sidecar gave no answer, or one that is an error; the text is for people."""


def main(arguments: Sequence[str] | None = None) -> int:
    flags = _parser().parse_args(arguments)
    try:
        config = load_config(None, os.environ, {"data_dir": flags.data_dir, "store": flags.store})
        is_offline = flags.data_dir is not None or flags.store is not None
        if is_offline:
            found = asyncio.run(_from_store(flags.id, config))
        else:
            found = _from_sidecar(flags.id, flags.address or f"http://127.0.0.1:{config.http_port}", config.api_token)
    except (ConfigErrors, Unstartable, Unanswered, StoreError, InstanceNotFound) as error:
        print(f"holdfast inspect: {error}", file=sys.stderr)
        return ExitCode.FAILED if isinstance(error, InstanceNotFound | Unanswered) else ExitCode.MISUSED
    print(json.dumps(found, indent=2, ensure_ascii=False))
    return ExitCode.OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="holdfast inspect",
        description="Show what is stored of an instance, key by key. Asks the sidecar on this machine, or, with "
        "--data-dir or --store, reads the store itself (an embedded one only while no sidecar holds it).",
    )
    parser.add_argument("id", metavar="ID", help="of the instance")
    parser.add_argument("--address", metavar="URL", help="of a sidecar's HTTP port (http://127.0.0.1:3500)")
    parser.add_argument("--data-dir", metavar="DIR", help="of the embedded store")
    parser.add_argument("--store", metavar="URL", help="of another store")
    return parser


async def _from_store(instance_id: str, config: Config) -> object:
    async with existing_store(config) as store:
        (stored,) = await store.load([(partition_of(instance_id, config.partitions), instance_id)])
    if stored is None:
        raise InstanceNotFound(instance_id)
    return json.loads(msgspec.json.encode(inspect(stored, fact_json)))


def _from_sidecar(instance_id: str, address: str, token: str) -> object:
    url = f"{address.rstrip('/')}/api/v1/instances/{quote(instance_id, safe='')}/keys"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise Unanswered(_told(error)) from error
    except (OSError, ValueError) as error:
        raise Unanswered(
            f"{address}: expected a sidecar's answer, found {error}; start one, or read the store with --data-dir"
        ) from error


def _told(error: urllib.error.HTTPError) -> str:
    with error:
        text = error.read().decode(errors="replace")
    try:
        return str(cast("dict[str, object]", json.loads(text))["message"])
    except (ValueError, KeyError, TypeError):
        return f"{error.url} answered {error.code}; is that a sidecar's HTTP port?"
