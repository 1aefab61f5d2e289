"""The secret of this user's own servers, and how files are kept that are this user's alone.

One for all of them, so that a browser is asked once. It lies in a file, as a command that joins a server must find it,
and whoever can read this user's files can do as much without it.
"""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700


def read_secret(file: Path) -> str:
    """The auth string in this file, made where there is none yet.

    Raises:
        RuntimeError: the file is empty; a made one never is.
    """
    if not file.exists():
        _make_secret(file)
    file.chmod(PRIVATE_FILE)
    if not (secret := file.read_text("utf-8").strip()):
        raise RuntimeError(f"{file} must hold a secret, got nothing; remove it, and a new one is made")
    return secret


def _make_secret(file: Path) -> None:
    """Write it whole under its name, or leave the one that another process made meanwhile."""
    file.parent.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".secret-")  # readable by this user alone
    with os.fdopen(descriptor, "w") as draft:
        draft.write(f"lab:{secrets.token_urlsafe(24)}\n")  # NAME:PASSWORD is the form that other clients know
    try:
        os.link(name, file)
    except OSError:  # it was made meanwhile, or this file system has no links
        if not file.exists():
            Path(name).replace(file)
    Path(name).unlink(missing_ok=True)


def open_privately(file: Path, flag: int = os.O_TRUNC) -> BinaryIO:
    """A file to write that only this user can read; `os.O_APPEND` keeps what it holds."""
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | flag, PRIVATE_FILE), "wb")


def make_private(folder: Path) -> None:
    """Make a folder that only this user can enter, also where it was open to others before, as were its files."""
    folder.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
    with suppress(PermissionError):  # somebody else's, who shares it
        folder.chmod(PRIVATE_FOLDER)
        for file in folder.glob("prefect.db*"):
            file.chmod(PRIVATE_FILE)
