"""File systems within a file (OLE), which Olympus's OIB are, by the library `oiffile`.

Left alone, the library follows a chain of sectors for ever where it leads in a circle, and gives what is there of a
file that was cut short.
"""

import os
import struct
from collections.abc import Iterator, Sequence

from oiffile import CompoundFile

from unet.dataset.filesystem import open_regular


class Compound(CompoundFile):
    """A file system in a file, whose chains of sectors end."""

    def content(self, name: str) -> bytes:
        """Bytes of a file in it, all of them."""
        entry = self.direntry(name)
        content = self._read_stream(entry)
        if len(content) < entry.stream_size:
            raise ValueError(f"truncated: of the {entry.stream_size:,} bytes of {name} {len(content):,} are there")
        return content

    def _sec_chain(self, secid: int, /) -> Iterator[bytes]:  # type: ignore[override]
        yield from self._ending(super()._sec_chain(secid), self._fat)

    def _mini_sec_chain(self, secid: int, /) -> Iterator[bytes]:  # type: ignore[override]
        yield from self._ending(super()._mini_sec_chain(secid), self._minifat)

    def _ending(self, chain: Iterator[bytes], table: Sequence[int]) -> Iterator[bytes]:
        for number, sector in enumerate(chain):
            if number > len(table):
                raise ValueError("its sectors lead in a circle")
            if not sector:
                raise ValueError("truncated: its sectors lie beyond its end")
            yield sector


def refuse_absurd_header(file: str) -> None:
    """Refuse an OIB whose tables of sectors claim more than there are."""
    with open_regular(file) as stream:
        head = stream.read(76)
        size = stream.seek(0, os.SEEK_END)
    if len(head) < 76 or not head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        raise ValueError("it does not begin as one")
    (shift,) = struct.unpack_from("<H", head, 30)
    (tables,) = struct.unpack_from("<I", head, 44)
    small, _, more = struct.unpack_from("<III", head, 64)
    sectors = (size >> shift) + 1 if shift < 32 else 0
    if tables > 2 + 2 * sectors // 128 or small > sectors or more > 1 + sectors // 64:
        raise ValueError(f"it claims {tables:,} tables of the {sectors:,} sectors that its {size:,} bytes can be")
