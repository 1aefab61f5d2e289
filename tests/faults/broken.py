"""Files that are broken in every way that a microscope, a copy or a stranger breaks them, of each kind that is read.

`python -m tests.faults.broken FOLDER` reads each file of a folder, one after another, and prints what it heard: a line
of JSON each, with the bytes that it took. It is run in a process of its own.
"""

import bz2
import gzip
import hashlib
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numcodecs
import numpy as np

from tests.faults.limits import Hang, peak, within
from tests.faults.parsers import IMAGE, KINDS, OURS
from tests.unet.formats import test_ome_zarr, vendor_files
from tests.unet.formats.files import noise, planes
from unet.formats.completeness import require_whole
from unet.formats.readers import find_scenes, open_stack

PARTS = {"tenth": 0.1, "half": 0.5, "last": 0.995}
LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha">{}]>'.format(
    "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True))
)
"""Ten names, each of which stands for ten of the one before: 2 GB of laughter."""
SWOLLEN = f'<!DOCTYPE x [<!ENTITY a "{"a" * 100_000}">]>'
"""A name that stands for 100 kB, said 50,000 times."""
STEAL = '<!DOCTYPE x [<!ENTITY j SYSTEM "file:///etc/passwd">]>'
SECONDS = 10
"""Of a processor, for one file."""


def broken_files(folder: Path) -> list[Path]:
    """Writes all of them below a folder, each in one of its own; whichever it must refuse by name."""
    made = []
    for kind, whole in KINDS.items():
        for how, content in ways(whole()):
            made.append(put(folder, f"{how}-{Path(kind).stem}", kind, content))
    made += [put(folder, how, name, content) for how, name, content in of_one_kind()]
    return [*made, *sets(folder), *zarr_folders(folder)]


def put(folder: Path, how: str, name: str, content: bytes) -> Path:
    """A file in a folder of its own."""
    place = folder / f"{how}{Path(name).suffix}"
    place.mkdir(parents=True)
    (place / name).write_bytes(content)
    return place / name


def ways(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """What happens to any file."""
    yield "empty", b""
    yield "zeros", bytes(len(whole))
    yield "other", b"GIF89a" + whole[6:]
    yield "text", b"<html>404 not found</html>\n"
    for how, part in PARTS.items():
        yield f"cut_{how}", whole[: int(len(whole) * part)]


def of_one_kind() -> Iterator[tuple[str, str, bytes]]:
    """What only some formats can suffer: huge claims, circles, names that swell."""
    yield from ((f"laugh_{n}", f"a.{n}", xml(LAUGHS, "&j;", n)) for n in ("lif", "xlif", "ome.tif"))
    yield from ((f"swollen_{n}", f"a.{n}", xml(SWOLLEN, "&a;" * 50_000, n)) for n in ("lif", "xlif", "ome.tif"))
    yield from ((f"steal_{n}", f"a.{n}", xml(STEAL, "&j;", n)) for n in ("lif", "xlif"))
    yield "deep", "a.xlif", b"<a>" * 1_000_000
    for axis in "123":
        said = vendor_files.leica(IMAGE[None], '<Memory Size="6144" MemoryBlockID="MemBlock_1"/>')
        huge = re.sub(rf'(DimID="{axis}" NumberOfElements=)"\d+"', r'\1"2000000000"', said)
        yield f"huge_{axis}", "a.lif", vendor_files.lif(IMAGE[None], huge)
    for at in (0, 4, 8, 92, 180, 196):
        yield f"huge_{at}", "a.dv", changed(vendor_files.dv(IMAGE), at, b"\xff\xff\xff\x7f")
    for at in (42, 108, 656, 1446):
        yield f"huge_{at}", "a.spe", changed(vendor_files.spe(IMAGE), at, b"\xff\xff\xff\x7f")
    oib = vendor_files.oib(IMAGE[None, :, None])
    for at in (30, 44, 48, 60, 64, 68, 72):
        yield f"huge_{at}", "a.oib", changed(oib, at, b"\xff\xff\xff\x7f")
    for sector in (1, 4, 8, 12, 16):
        yield f"circle_{sector}", "a.oib", changed(oib, 512 + 4 * sector, sector.to_bytes(4, "little"))
    tables = vendor_files.olympus((1, 3, 1, *IMAGE.shape[1:]))
    for number in range(5):
        tables[f"Axis {number} Parameters Common"]["MaxSize"] = 2_000_000_000
        yield f"huge_axis_{number}", "a.oib", vendor_files.oib(IMAGE[None, :, None], tables)
    tiff = vendor_files.tiff(IMAGE[0])
    (first,) = np.frombuffer(tiff[4:8], "<u4")
    (entries,) = np.frombuffer(tiff[first : first + 2], "<u2")
    end = int(first) + 2 + 12 * int(entries)
    for suffix in ("tif", "stk", "lsm", "svs"):
        yield "circle", f"a.{suffix}", changed(tiff, end, int(first).to_bytes(4, "little"))
        yield "huge_count", f"a.{suffix}", changed(tiff, int(first) + 2 + 12 * 4 + 4, b"\xff\xff\xff\x7f")
    for name in ("0", "9"):
        yield (
            f"index_{name}",
            "a.nd",
            f'"NDInfoFile", Version 1.0\n"DoStage", TRUE\n"NStagePositions", {name * 18}\n"EndFile"'.encode(),
        )
    yield from of_vendors()
    jpeg = vendor_files.jpeg(IMAGE[0].astype(np.uint8))
    at = jpeg.index(b"\xff\xc0") + 5
    yield "huge", "a.jpg", changed(jpeg, at, b"\xff\xff\xff\xff")


def of_vendors() -> Iterator[tuple[str, str, bytes]]:
    """Huge claims in files that only a maker's library, or a real file, can give."""
    if "a.czi" in KINDS:
        czi = KINDS["a.czi"]()
        for axis in (b"X", b"Y", b"Z"):
            places = [match.start() for match in re.finditer(axis + rb"\0\0\0", czi)]
            swollen = czi
            for at in places:
                swollen = changed(swollen, at + 8, b"\xff\xff\xff\x7f")
            yield f"huge_{axis.decode()}", "a.czi", swollen
    if "a.nd2" in KINDS:
        nd2 = KINDS["a.nd2"]()
        for name in ("uiWidth", "uiHeight", "uiSequenceCount", "uiWidthBytes", "uiComp"):
            word = f"{name}\0".encode("utf-16-le")
            yield f"huge_{name}", "a.nd2", changed(nd2, nd2.index(word) + len(word), b"\xff\xff\xff\x7f")
    if "a.ims" in KINDS:
        for how, chunks in (("huge", (1, 256, 256)), ("huge_plain", None)):
            yield how, "a.ims", vendor_files.claiming_ims((2**20, 2**20, 2**10), chunks)


def xml(head: str, body: str, kind: str) -> bytes:
    """A file whose XML declares names, and says them."""
    if kind == "ome.tif":
        said = f'<?xml version="1.0"?>{head}<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{body}</OME>'
        return vendor_files.tiff(IMAGE[0], description=said.encode())
    memory = f'<Memory Size="6144" MemoryBlockID="MemBlock_1">{body}</Memory>'
    said = head + vendor_files.leica(IMAGE[None], memory)
    return vendor_files.lif(IMAGE[None], said) if kind == "lif" else f'<?xml version="1.0"?>{said}'.encode()


def changed(content: bytes, at: int, new: bytes) -> bytes:
    """A file with other bytes in a place."""
    return content[:at] + new + content[at + len(new) :]


def sets(folder: Path) -> Iterator[Path]:
    """Sets of several files, of which one is broken, gone or elsewhere."""
    damages: dict[str, Callable[[Path], object]] = {
        "gone": lambda part: part.unlink(),
        "empty": lambda part: part.write_bytes(b""),
        "half": lambda part: part.write_bytes(part.read_bytes()[: part.stat().st_size // 2]),
        "folder": lambda part: (part.unlink(), part.mkdir()),
        "circle": lambda part: (part.unlink(), part.symlink_to(part)),
    }
    for how, damage in damages.items():
        place = folder / f"set_{how}"
        place.mkdir()
        vendor_files.write_nd(place, noise(1, 2, 2, 2, 16, 16))
        vendor_files.write_oif(place / "a.oif", noise(2, 3, 2, 16, 16))
        vendor_files.write_xlif(place, noise(2, 3, 16, 16))
        damage(place / "x_w1DAPI_s1_t1.stk")
        damage(place / "a.oif.files/s_C001Z001T001.tif")
        damage(place / "x1.tif")
        yield from (place / "x.nd", place / "a.oif", place / "Metadata/x.xlif")


def zarr_folders(folder: Path) -> Iterator[Path]:
    """OME-Zarr of which a part is gone, cut short, or claims what cannot be."""
    for how, (damage, _) in test_ome_zarr.BREAKS.items():
        place = folder / f"zarr_{how.replace(' ', '_')}/a.zarr"
        test_ome_zarr.write(place, noise(8, 8), "yx", "0.4", chunks=(4, 4))
        damage(place)
        yield place
    for codec, bomb in BOMBS.items():
        place = folder / f"zarr_swollen_{codec}/a.zarr"
        test_ome_zarr.write(place, noise(1024, 2048), "yx", "0.4", compressors=numcodecs.get_codec({"id": codec}))
        (place / "0/0/0").write_bytes(bomb())
        yield place


PIECES, PIECE = 90, bytes(2**24)
"""1.5 GB of zeros, in pieces that are packed alike: one is packed, and said so often."""


def deflated() -> bytes:
    """The zeros, packed without a head and a check."""
    packing = zlib.compressobj(9, wbits=-15)
    piece = packing.compress(PIECE) + packing.flush(zlib.Z_FULL_FLUSH)  # after which nothing before is referred to
    return piece * PIECES + packing.flush()


def zlib_bomb() -> bytes:
    """The sum of zeros is 1, and that of its sums their number."""
    return b"\x78\xda" + deflated() + ((PIECES * len(PIECE) % 65521) << 16 | 1).to_bytes(4, "big")


def gzip_bomb() -> bytes:
    """A file of so many members, as `gzip` reads them."""
    return gzip.compress(PIECE) * PIECES


BOMBS = {"zlib": zlib_bomb, "gzip": gzip_bomb, "bz2": lambda: bz2.compress(PIECE, 1) * PIECES}


def main() -> int:
    """Reads each file of a folder, and prints what it heard."""
    for line in sys.stdin:
        before, said, read = peak(), "", ""
        try:
            with within(SECONDS):
                read = what(line.strip())
        except (Exception, Hang) as error:
            kind = next((each.__name__ for each in OURS if isinstance(error, each)), type(error).__name__)
            said = f"{kind}: {error}"
        print(json.dumps([line.strip(), said, read, peak() - before]), flush=True)
    return 0


def what(file: str) -> str:
    """All that is read of a file, in a few words."""
    scene = 0 if find_scenes(file).number > 1 else None
    require_whole([file], scene)
    with open_stack([file], scene) as opened:
        facts = opened.axes, opened.shape, dict(opened.spacing), opened.channels
        return f"{facts} {hashlib.sha256(planes(opened).tobytes()).hexdigest()}"


if __name__ == "__main__":
    sys.exit(main())
