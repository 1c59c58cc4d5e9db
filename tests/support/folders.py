"""Temporary data folders of servers."""

import os
import shutil
import tempfile
from pathlib import Path

SERVER_USER = "nobody"


def new_folder(prefix: str) -> Path:
    """Owned by who runs the server: `nobody` when we are root, else ourselves."""
    folder = Path(tempfile.mkdtemp(prefix=f"holdfast-{prefix}-"))
    if server_user():
        shutil.chown(folder, SERVER_USER)
    return folder


def server_user() -> str | None:
    """Whom a server that refuses root is started as; None when we are not root."""
    return SERVER_USER if os.getuid() == 0 else None


def remove_folder(folder: Path) -> None:
    shutil.rmtree(folder)
