"""Which files the planes of an OME-TIFF lie in, though files were renamed since they were written.

OME-XML names the file of each plane, with a UUID that the file bears too. Names change in people's hands, UUIDs do not:

- a document of one file only means the file that it stands in, whatever that is called now;
- of a set, the one file that bears a UUID is meant; where none bears it, or several do (some microscopes write one
  UUID into all), the file of that name.

Rejected: matching files of a set by their order, where neither name nor UUID tells. A wrong guess would swap planes.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

import tifffile

from unet.formats.tiff_plausibility import refuse_absurd_xml

TIFF_SUFFIXES = (".tif", ".tiff")
GONE = "(not here) "
"""Stands before the name of a file that is another one now, so that nobody opens it."""
ROOT_UUID = re.compile(r"<(?:\w+:)?OME\b[^>]*?\sUUID\s*=\s*[\"']([^\"']+)[\"']")
LOOSE = re.compile(r"&(?!#[0-9]+;|#x[0-9A-Fa-f]+;|[A-Za-z][A-Za-z0-9]*;)")
"""An ampersand that stands for itself, as in names that people gave: XML has it written `&amp;`."""
UUIDS = "{*}Image/{*}Pixels/{*}TiffData/{*}UUID"


def open_ome(file: str) -> tifffile.TiffFile:
    """A TIFF, opened; its OME-XML, if it has one, names files as they are called now."""
    tif = tifffile.TiffFile(file)
    try:
        stored = tif.ome_metadata
        written = LOOSE.sub("&amp;", stored) if stored else stored
        if written:
            refuse_absurd_xml(written, Path(file), tif.pages.first.size)
        renamed = renamed_xml(written, Path(file), len(tif.pages)) if written else written
    except BaseException:
        tif.close()
        raise
    if not renamed or renamed == stored:
        return tif
    tif.close()
    return tifffile.TiffFile(file, omexml=renamed)


def ome_tree(tif: tifffile.TiffFile) -> ElementTree.Element:
    """The elements of a TIFF's OME-XML; where it has none, none."""
    return ElementTree.fromstring(tif.ome_metadata or "<OME/>")


def named_files(root: ElementTree.Element) -> set[str]:
    """Names of the files that OME-XML has planes in, without folders."""
    return {Path(uuid.get("FileName", "")).name for uuid in root.iterfind(UUIDS)}


def renamed_xml(xml: str, file: Path, pages: int) -> str:
    """OME-XML with the names that files have now; as it is where it is damaged, or where all names hold.

    Args:
        xml: as it was written.
        file: where it stands.
        pages: how many that file has.
    """
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return xml
    uuids = list(root.iterfind(UUIDS))
    meant = {(uuid.text, uuid.get("FileName")) for uuid in uuids}
    shared = {text for text, count in Counter(text for text, _ in meant).items() if count > 1}  # tells no file
    is_told_by_name = [uuid for uuid in uuids if not uuid.text or uuid.text in shared]
    for uuid in is_told_by_name:
        uuid.text = uuid.get("FileName")
    named = {str(uuid.text): Path(uuid.get("FileName", "")).name for uuid in uuids}
    if not named:
        return xml
    is_blocked = [uuid for uuid in uuids if not _may_be_opened(file, uuid.get("FileName", ""))]
    found = _files_of(named, file) if len(named) > 1 else _file_alone(named, root, file, pages)
    ours = next((uuid for uuid, name in found.items() if name == file.name), None)
    if found == named and root.get("UUID") in (None, ours) and not (is_told_by_name or is_blocked):
        return xml
    root.set("UUID", ours or "urn:uuid:none")
    for uuid in uuids:
        if found[str(uuid.text)] != named[str(uuid.text)]:  # the folder that a name may hold is kept
            uuid.set("FileName", found[str(uuid.text)])
        elif uuid in is_blocked:
            uuid.set("FileName", f"{GONE}{named[str(uuid.text)]}")
    return ElementTree.tostring(root, encoding="unicode")


def is_part_of_renamed(root: ElementTree.Element, file: Path) -> bool:
    """Whether a file that only points to its metadata is part of a set whose metadata's file was renamed."""
    pointer = root.find("{*}BinaryOnly")
    wanted, own = "" if pointer is None else pointer.get("UUID", ""), root.get("UUID")
    claiming = _claims_in(str(file.parent), _beside(file)).get(wanted, []) if own and wanted else []
    return any(f">{own}<" in _xml_of(file.with_name(name)) for name in claiming if name != file.name)


def strangers(root: ElementTree.Element, file: Path) -> list[str]:
    """Names of the files that hold all planes of OME-XML, where none of them is here; else none."""
    names = named_files(root)
    are_here = any(name == file.name or file.with_name(name).is_file() for name in names if name)
    return [] if are_here else sorted(name.removeprefix(GONE) for name in names)


def _may_be_opened(file: Path, name: str) -> bool:
    """Whether what OME-XML names lies below the folder of its file, and is a file if it is there."""
    inside = os.path.normpath(name)
    if Path(inside).is_absolute() or inside.startswith(os.pardir):
        return False
    path = file.parent / inside
    return path.is_file() or not path.exists() or inside == os.curdir


def _file_alone(named: Mapping[str, str], root: ElementTree.Element, file: Path, pages: int) -> dict[str, str]:
    """The file itself, if it has all the planes."""
    data = [each.attrib for each in root.iterfind("{*}Image/{*}Pixels/{*}TiffData")]
    needed = max(int(each.get("IFD", 0)) + int(each.get("PlaneCount", 1)) for each in data)
    return dict.fromkeys(named, file.name) if needed <= pages else dict(named)


def _files_of(named: Mapping[str, str], file: Path) -> dict[str, str]:
    """File of each UUID: the one that bears it, else the one of that name; where there is neither, none."""
    near = {file.name, *(name for name in named.values() if name and file.with_name(name).is_file())}
    found = _by_uuid_or_name(named, near, _claims(map(file.with_name, near)))
    if len(found) < len(named):
        beside = _beside(file)
        found = _by_uuid_or_name(named, near.union(name for name, *_ in beside), _claims_in(str(file.parent), beside))
    gone = {uuid: name if name not in near else f"{GONE}{name}" for uuid, name in named.items()}
    return gone | found


def _by_uuid_or_name(named: Mapping[str, str], there: set[str], claims: Mapping[str, Sequence[str]]) -> dict[str, str]:
    found = {uuid: claims[uuid][0] for uuid in named if len(claims.get(uuid, ())) == 1}
    taken = set(found.values())
    return {uuid: name for uuid, name in named.items() if name in there - taken} | found


def _beside(file: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, bytes and time of change of each TIFF in a file's folder."""
    entries = [each for each in os.scandir(file.parent) if each.name.lower().endswith(TIFF_SUFFIXES)]
    files = ((each.name, each.stat()) for each in entries if each.is_file())  # a pipe would be waited at
    return tuple(sorted((name, info.st_size, info.st_mtime_ns) for name, info in files))


@lru_cache(maxsize=8)
def _claims_in(folder: str, files: tuple[tuple[str, int, int], ...]) -> dict[str, list[str]]:
    """The claims of all TIFFs in a folder: each is opened once, however many of them ask."""
    return _claims(Path(folder, name) for name, *_ in files)


def _claims(files: Iterable[Path]) -> dict[str, list[str]]:
    """Names of the files that bear each UUID."""
    claims: dict[str, list[str]] = {}
    for file in sorted(files):
        if uuid := _own_uuid(file):
            claims.setdefault(uuid, []).append(file.name)
    return claims


def _own_uuid(file: Path) -> str | None:
    found = ROOT_UUID.search(_xml_of(file))
    return found and found[1]


def _xml_of(file: Path) -> str:
    """The OME-XML of a TIFF; empty where it has none, or is broken."""
    try:
        info = file.stat()
        return _read_xml(str(file), info.st_size, info.st_mtime_ns)
    except (OSError, ValueError):
        return ""


@lru_cache(maxsize=1024)  # each file of a set asks for those of all others
def _read_xml(file: str, size: int, changed: int) -> str:
    with tifffile.TiffFile(file) as tif:
        return tif.ome_metadata or ""
