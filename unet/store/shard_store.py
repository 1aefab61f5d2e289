"""Where zarr finds the bytes of an array: every file is put whole by `Folder`, and who reads demands every shard."""

import asyncio
import atexit
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from zarr.core.sync import sync
from zarr.storage import FsspecStore, LocalStore

from unet.dataset.filesystem import open_filesystem
from unet.dataset.folder import Folder


class MissingShardError(LookupError):
    """A shard is not there."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class _Demanding:
    """What both kinds of store add to zarr's own: a shard that is read must be there, and hold something."""

    read_only: bool

    async def get(self, key: str, *given: Any, **more: Any) -> Any:
        found = await super().get(key, *given, **more)  # type: ignore[misc]
        if self.read_only and key.startswith("c/") and (found is None or not len(found)):  # zarr's own: fill values
            raise MissingShardError(key)
        return found


class _RegularFiles(LocalStore):
    """Files alone: at a pipe one would wait for ever, and a device has no end."""

    async def get(self, key: str, *given: Any, **more: Any) -> Any:
        return await super().get(key, *given, **more) if (self.root / key).is_file() else None


class _LocalShards(_Demanding, _RegularFiles):
    async def set(self, key: str, value: Any) -> None:
        """Put a file as all others of a dataset are put, so that there is one place where files are written."""
        await asyncio.to_thread(Folder(str(self.root / key)).write, value.to_bytes())


class _RemoteShards(_Demanding, FsspecStore):
    pass


def shard_store(folder: Folder, is_read: bool) -> Any:
    """What zarr opens a folder by."""
    if folder.is_local:
        return _LocalShards(Path(folder.url), read_only=is_read)
    if not open_filesystem(folder.url)[0].async_impl:
        return _RemoteShards.from_url(folder.url, read_only=is_read)
    filesystem, path = open_filesystem(folder.url, asynchronous=True)
    _close_at_exit(filesystem)
    return _RemoteShards(filesystem, path=path, read_only=is_read)


@cache
def _close_at_exit(filesystem: Any) -> None:
    """Close the connections before zarr's event loop ends, or they complain of having been left open."""

    def close() -> None:
        client = getattr(filesystem, "_s3", None)  # other file systems than s3fs do not complain
        if client is not None:
            with suppress(Exception):
                sync(client.close(), timeout=1)

    atexit.register(close)
