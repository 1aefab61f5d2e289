"""What torch saved, read as tensors and plain values alone, once it is known that it is no larger than it looks.

`weights_only=True` runs nothing, but takes memory for whatever a file claims: of an archive that is packed (torch packs
none), or that lists one part many times, thousands of times its bytes; and of a pickle that asks for a `bytearray` of
any length. All three are refused before torch sees them.
"""

import io
import zipfile
from typing import Any

import torch

BYTEARRAY = b"\nbytearray\n"
"""How a pickle asks for so many bytes; nothing that holds tensors does."""


def read_torch(content: bytes) -> Any:
    """Tensors and plain values of a file of torch's, on the CPU; ValueError says in short why there are none."""
    try:
        _refuse_bombs(content)
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes make torch fail in a dozen ways; a pickle with code is one of them
        raise ValueError(" ".join(str(error).split())[:160] or type(error).__name__) from error


def _refuse_bombs(content: bytes) -> None:
    if BYTEARRAY in content:
        raise ValueError("a pickle that asks for memory")
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return
    parts = zipfile.ZipFile(io.BytesIO(content)).infolist()
    unpacked = sum(part.file_size for part in parts)
    if any(part.compress_type != zipfile.ZIP_STORED for part in parts) or unpacked > len(content):
        raise ValueError(f"a packed archive of {unpacked:,} bytes in {len(content):,}, which torch never writes")
