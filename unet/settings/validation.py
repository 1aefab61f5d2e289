"""Addresses of datasets, sources, models and clusters hold no secret: they are written into records, stamps and logs.

Who reads or writes elsewhere says who they are by their environment, or by the configuration of fsspec and dask.
"""

import re
from collections.abc import Mapping
from typing import Any

PASSWORD = re.compile(r"(?<=://)[^/@]*:[^/@]*(?=@)")
"""A user with a password; one without is none: `abfs://container@account` is an address."""
TOKEN = re.compile(r"(?<=[?&])([^=&]*(?:token|sig|key|password|secret)[^=&]*=)[^&]*", re.IGNORECASE)
SECRET_NAME = re.compile("password|secret|token|api_?key|access_?key", re.IGNORECASE)


def require_plain(what: str, address: str) -> None:
    """Refuse an address that holds a password or a token; the words do not repeat it.

    >>> require_plain("sources", "s3://me:hush@lab/raw")
    Traceback (most recent call last):
    ...
    ValueError: sources must hold no password or token, got one in s3://***@lab/raw; give it by the environment
    """
    shown = TOKEN.sub(r"\1***", PASSWORD.sub("***", address))
    if shown != address:
        raise ValueError(f"{what} must hold no password or token, got one in {shown}; give it by the environment")


def require_no_secrets(what: str, options: Mapping[str, Any]) -> None:
    """Refuse options that bear a secret's name, wherever they stand below, and addresses that hold one."""
    for name, value in options.items():
        if SECRET_NAME.search(str(name)) and value is not None:
            raise ValueError(f"{what} must hold no password or token, got {name}; give it by the environment")
        if isinstance(value, Mapping):
            require_no_secrets(what, value)
        elif isinstance(value, str):
            require_plain(what, value)
