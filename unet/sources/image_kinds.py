"""Kinds of image files, by the ends of their names, and which module reads each.

The list stands here, where nothing is imported, because `status` finds stacks by it and loads no reader.
"""

from pathlib import PurePath

from unet.sources.declared_suffixes import declared_suffixes

VENDORS = {
    "nd2": (".nd2",),
    "lif": (".lif", ".lof", ".xlif"),
    "czi": (".czi",),
    "ims": (".ims",),
    "dv": (".dv",),
    "spe": (".spe",),
    "oif": (".oib", ".oif"),
    "metamorph": (".nd",),
    "bioio_plugins": (".vsi", ".oir"),
}
"""Modules of `unet.vendors`, and what marks the files that each reads."""
READERS = {
    "tiff": (".ome.tiff", ".ome.tif", ".tiff", ".tif", ".lsm", ".stk", ".svs", ".ndpi", ".scn", ".qptiff"),
    "png": (".png",),
    "jpeg": (".jpg", ".jpeg"),
    "ome_zarr": (".ome.zarr", ".zarr"),
} | VENDORS
"""All of them; the first ones are those of `unet.formats`."""
FORMATS = dict.fromkeys(declared_suffixes(), "bioio_plugins")
FORMATS |= {suffix: module for module, suffixes in READERS.items() for suffix in suffixes}
FORMATS = dict(sorted(FORMATS.items(), key=lambda item: -len(item[0])))
"""The module that reads files of a suffix; the longer suffix first."""
SUFFIXES = tuple(FORMATS)

OUTLINES = {".roi": "imagej_rois", ".zip": "imagej_rois", ".geojson": "geojson", ".json": "geojson"}
"""Of what people drew around objects: suffixes, never of images, and the module of `unet.formats` that reads each."""
CLASS_TABLE = ".csv"
"""Suffix of files that tell the class of each id of truth, and are neither images nor truth."""


def is_image(name: str) -> bool:
    """Whether a file of this name is read; hidden ones are not.

    >>> is_image("a.OME.TIF"), is_image("notes.txt"), is_image("._a.tif")
    (True, False, False)
    """
    return not name.startswith(".") and name.lower().endswith(SUFFIXES)


def is_outlines(name: str) -> bool:
    """Whether a file of this name may hold outlines; whether it does, only its content tells.

    >>> is_outlines("RoiSet.zip"), is_outlines("a.geojson"), is_outlines("a.tif")
    (True, True, False)
    """
    return not name.startswith(".") and PurePath(name).suffix.lower() in OUTLINES


def is_truth(name: str) -> bool:
    """Whether a file of this name may be truth: labels, as an image has them, or outlines."""
    return is_image(name) or is_outlines(name)


def is_class_table(name: str) -> bool:
    """Whether a file of this name may tell the class of each id, a line an id."""
    return not name.startswith(".") and name.lower().endswith(CLASS_TABLE)


def tells_classes(name: str) -> bool:
    """Whether a file of this name may tell the classes of ids: a table, or a label image."""
    return is_class_table(name) or is_image(name)


def kind_of(name: str) -> str:
    """The suffix that says how a file is read; of others the last one, or what they lack.

    >>> kind_of("a.b.OME.TIF"), kind_of("notes.txt"), kind_of("README")
    ('.ome.tif', '.txt', 'without a suffix')
    """
    known = next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")
    return known or PurePath(name).suffix.lower() or "without a suffix"


def format_of(path: str) -> str | None:
    """The module that reads a file, or a folder within an OME-Zarr; None where none does.

    >>> format_of("/raw/a.TIF"), format_of("/raw/plate.zarr/A/1/0"), format_of("/raw/notes.txt")
    ('tiff', 'ome_zarr', None)
    """
    *above, name = path.lower().split("/")
    suffix = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")
    if not suffix and any(part.endswith(".zarr") for part in above):
        return "ome_zarr"
    return FORMATS.get(suffix)


def stem(name: str) -> str:
    """Name without its suffix of images, outlines or tables of classes; any other suffix stays.

    >>> stem("a.b.OME.TIF"), stem("a.geojson"), stem("notes.txt")
    ('a.b', 'a', 'notes.txt')
    """
    suffix = next((suffix for suffix in (*SUFFIXES, *OUTLINES, CLASS_TABLE) if name.lower().endswith(suffix)), "")
    return name.removesuffix(name[len(name) - len(suffix) :])


def is_index(name: str) -> bool:
    """Whether a file of this name says which images beside it are which planes of a plate.

    >>> is_index("Index.idx.xml"), is_index("plate.HTD"), is_index("other.xml")
    (True, True, False)
    """
    lower = name.lower()
    return lower in ("index.idx.xml", "index.xml", "measurementdata.mlf") or (
        lower.endswith(".htd") and not lower.startswith(".")
    )
