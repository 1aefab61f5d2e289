"""The index that a plate microscope writes beside its images: which file is which plane of which well.

    Operetta, Opera Phenix (Harmony)   Index.idx.xml or Index.xml beside the images
    CellVoyager                        MeasurementData.mlf, with MeasurementDetail.mrf and a .mes file
    ImageXpress (MetaXpress)           NAME.HTD; names of files and of folders ZStep_N, TimePoint_N say the rest

An index comes as data: its XML is read as a stream of records, with no entities; files that it names lie in its folder.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path, PurePosixPath
from statistics import median
from typing import NamedTuple
from xml.parsers import expat

from unet.dataset.filesystem import read_regular
from unet.sources.name_patterns import row_name

LARGEST = 2**30
"""Bytes of the largest index that is read."""
PLAIN = re.compile(r"[^/\\:\0.][^/\\:\0]*")
"""A name that can be that of a file in the folder alone."""
UNEVEN = 0.05
"""Share by which distances of planes may differ from the middle one."""

Fields = Mapping[str, str]
Sizes = tuple[tuple[str, float], ...]


class PlateFile(NamedTuple):
    """A file of a plate: one plane, or more, of a field of a well."""

    path: Path
    row: str
    column: str
    field: int
    t: str
    c: str
    z: str
    """"" of a projection, and where there is no z."""


class PlateIndex(NamedTuple):
    """What an index says."""

    file: Path
    plate: str
    files: tuple[PlateFile, ...]
    channels: Mapping[str, str]
    """Names of channels, by what stands in `c`."""
    pixel_size: Sizes
    """Micrometers by axis."""


def read_index(index: Path, images: Sequence[Path]) -> PlateIndex:
    """What an index says; ValueError says why it cannot be read.

    Args:
        index: a file of a name that `image_kinds.is_index` knows.
        images: image files, those below its folder among them.
    """
    if index.name.lower().endswith(".htd"):
        from unet.sources.imagexpress import imagexpress_files

        said = _htd(index)
        below = [path for path in images if path.is_relative_to(index.parent)]
        channels = {number: said.get(f"WaveName{number}", "") for number in map(str, range(1, 100))}
        return PlateIndex(index, index.stem, imagexpress_files(below, index.stem), channels, ())
    info = index.stat()
    try:
        return _read_xml_index(index, info.st_size, info.st_mtime_ns)
    except KeyError as error:
        raise ValueError(f"it does not say the {error} of an image") from error


@lru_cache(maxsize=16)
def _read_xml_index(index: Path, size: int, changed: int) -> PlateIndex:
    """An index of XML, read once while it does not change."""
    del size, changed
    return _cellvoyager(index) if index.suffix.lower() == ".mlf" else _operetta(index)


def _htd(index: Path) -> Fields:
    """Values of lines such as `"WaveName1", "DAPI"`."""
    text = read_regular(str(index), 10**6).decode("latin-1")
    said = dict(re.findall(r'^"([^"\r\n]+)",[ \t]*"?([^"\r\n]*)"?', text, re.MULTILINE))
    if not {"XWells", "NWavelengths", "TimePoints", "XSites", "Sites"} & set(said):
        raise ValueError("it holds no settings of a plate")
    return said


def _operetta(index: Path) -> PlateIndex:
    images = {"URL", "Row", "Col", "FieldID", "PlaneID", "ChannelID", "TimepointID", "ChannelName"}
    images |= {"ImageResolutionX", "ImageResolutionY", "PositionZ"}
    wanted = {"Image": images, "Entry": images | {"ChannelID"}, "Plate": {"PlateID", "Name"}}
    found: dict[str, list[Fields]] = {tag: [] for tag in wanted}
    read_records(index, wanted, lambda tag, fields: found[tag].append(fields))
    shots = [each for each in found["Image"] if each.get("URL")]
    entries = [*shots, *found["Entry"]]
    channels = {each["ChannelID"]: each["ChannelName"] for each in entries if each.get("ChannelName")}
    meters = {f: float(each[key]) for each in reversed(entries) for f, key in RESOLUTIONS if each.get(key)}
    plate = next((each.get("PlateID") or each.get("Name") for each in found["Plate"]), None)
    files = tuple(
        PlateFile(
            path=_below(index, each["URL"]),
            row=row_name(each["Row"]),
            column=each["Col"].zfill(2),
            field=int(each["FieldID"]),
            t=each.get("TimepointID", "0"),
            c=each["ChannelID"],
            z=each.get("PlaneID", "1"),
        )
        for each in shots
    )
    heights = [float(each.get("PositionZ", "nan")) for each in shots]
    sizes = {axis: value * 1e6 for axis, value in meters.items()} | _z_step(files, [z * 1e6 for z in heights])
    return PlateIndex(index, plate or _name_of_folder(index), files, channels, _plain_sizes(sizes))


RESOLUTIONS = (("x", "ImageResolutionX"), ("y", "ImageResolutionY"))


def _cellvoyager(index: Path) -> PlateIndex:
    shots: list[Fields] = []
    keys = {"Type", "Row", "Column", "FieldIndex", "ZIndex", "Ch", "TimelineIndex", "TimePoint", "Z", "text"}
    read_records(index, {"MeasurementRecord": keys}, lambda _, fields: shots.append(fields))
    shots = [each for each in shots if each.get("Type") == "IMG"]
    has_timelines = len({each.get("TimelineIndex") for each in shots}) > 1
    files = tuple(
        PlateFile(
            path=_below(index, each["text"]),
            row=row_name(each["Row"]),
            column=each["Column"].zfill(2),
            field=int(each["FieldIndex"]),
            t=(f"{each['TimelineIndex']}-" if has_timelines else "") + each["TimePoint"],
            c=each["Ch"],
            z=each["ZIndex"],
        )
        for each in shots
    )
    said = _cellvoyager_detail(index)
    sizes = {axis: float(said.get(key) or 0) for axis, key in DIMENSIONS}
    sizes |= _z_step(files, [float(each.get("Z", "nan")) for each in shots])
    channels = {number: said.get(f"channel {number}", "") for number in {each.c for each in files}}
    return PlateIndex(index, said.get("Name") or _name_of_folder(index), files, channels, _plain_sizes(sizes))


DIMENSIONS = (("x", "HorizontalPixelDimension"), ("y", "VerticalPixelDimension"))


def _cellvoyager_detail(index: Path) -> Fields:
    """Name of the plate, pixel sizes and names of channels, as far as the files that say them can be read."""
    said: dict[str, str] = {}
    channel = {"Ch", "Acquisition", "Fluorophore", *(key for _, key in DIMENSIONS)}
    wanted = {"MeasurementSamplePlate": {"Name"}, "MeasurementChannel": channel, "Channel": channel}

    def keep(_: str, fields: Fields) -> None:
        said.update({key: value for key, value in fields.items() if value and key not in ("Ch", *said)})
        if name := fields.get("Fluorophore") or fields.get("Acquisition"):
            said.setdefault(f"channel {fields.get('Ch')}", name)

    for file in sorted(index.parent.iterdir()):
        if file.suffix.lower() in (".mrf", ".mes"):
            try:
                read_records(file, wanted, keep)
            except ValueError:
                continue  # sizes and names are of use, and not needed
    return said


def _z_step(files: Sequence[PlateFile], heights: Sequence[float]) -> dict[str, float]:
    """The distance of planes, where it is the same everywhere in the first well."""
    first = files[0] if files else None
    planes = {
        int(file.z): height
        for file, height in zip(files, heights, strict=True)
        if first and file[1:4] == first[1:4] and (file.t, file.c) == (first.t, first.c) and file.z.isdigit()
    }
    steps = [abs(planes[upper] - planes[lower]) for lower, upper in pairwise(sorted(planes))]
    middle = median(steps) if steps else 0.0
    is_even = all(abs(step - middle) <= UNEVEN * middle for step in steps)
    return {"z": middle} if middle > 0 and is_even else {}


def _plain_sizes(sizes: Mapping[str, float]) -> Sizes:
    return tuple(sorted((axis, float(f"{size:.9g}")) for axis, size in sizes.items() if 0 < size < 1e6))


def _below(index: Path, written: str) -> Path:
    """Path of a file that an index names; ValueError where it would lie elsewhere."""
    if PLAIN.fullmatch(written):
        return index.parent / written
    inside = PurePosixPath(written.replace("\\", "/"))
    if inside.is_absolute() or ".." in inside.parts or ":" in written or "\0" in written or not inside.name:
        raise ValueError(f"it must name files in its own folder, got {written!r}")
    return index.parent / inside


def _name_of_folder(index: Path) -> str:
    """Name of the folder of a measurement, which may keep its images in one called so."""
    folder = index.parent.parent if index.parent.name.lower() == "images" else index.parent
    return folder.name


def read_records(file: Path, wanted: Mapping[str, set[str]], keep: Callable[[str, Fields], None]) -> None:
    """Hand each element of a wanted name to `keep`, as the values of its attributes and children of wanted names."""
    if file.stat().st_size > LARGEST:
        raise ValueError(f"it must be at most {LARGEST:,} bytes")
    records = _Records(wanted, keep)
    try:
        for part in _parts(file):
            records.parser.Parse(part, False)
        records.parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise ValueError(f"it is no whole XML: {error}") from error


def _parts(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while part := stream.read(2**20):
            yield part


class _Records:
    """A parser that keeps single elements, flat, and no tree.

    What it is called for of each element is what a full plate's index costs, as it has half a million of them: so it is
    called by expat itself, and not for what lies outside of a wanted element.
    """

    def __init__(self, wanted: Mapping[str, set[str]], keep: Callable[[str, Fields], None]) -> None:
        self._wanted, self._keep, self._plain = wanted, keep, _PlainNames()
        self._tag, self._fields, self._text = "", dict[str, str](), list[str]()
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self._wait()

    def _wait(self) -> None:
        """Look for the next wanted element."""
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self.parser.CharacterDataHandler = None

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self._plain[tag] in self._wanted:
            self._tag, self._fields = tag, {self._plain[key]: value for key, value in attributes.items()}
            self._text.clear()
            self.parser.StartElementHandler, self.parser.EndElementHandler = self._start_inside, self._end
            self.parser.CharacterDataHandler = self._text.append

    def _start_inside(self, _: str, __: Mapping[str, str]) -> None:
        self._text.clear()

    def _end(self, tag: str) -> None:
        name, text = self._plain[tag], "".join(self._text).strip()
        self._text.clear()
        if tag != self._tag:
            self._fields.setdefault(name, text)
            return
        fields = self._fields | ({"text": text} if text else {})
        self._wait()
        self._keep(name, {key: value for key, value in fields.items() if key in self._wanted[name]})

    def _doctype(self, *_: object) -> None:
        """A document that declares entities is refused: a few bytes of them grow to gigabytes."""
        raise ValueError("it must be plain XML, got a DOCTYPE")


class _PlainNames(dict[str, str]):
    """Names without the prefix of their namespace, each cut once."""

    def __missing__(self, name: str) -> str:
        self[name] = plain = name.rpartition(":")[2]
        return plain
