"""Small files as microscopes of some makers write them, drawn here: of formats for which no library has a writer."""

import io
import struct
from pathlib import Path
from tempfile import TemporaryDirectory

import imagecodecs
import numpy as np
import tifffile

SECTOR, SMALL = 512, 64
FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def tiff(plane, **how):
    """A TIFF of one plane."""
    made = io.BytesIO()
    tifffile.imwrite(made, plane, photometric="minisblack", metadata=None, **how)
    return made.getvalue()


def sectors(content, size=SECTOR):
    return -(-len(content) // size)


def compound(streams):
    """An OLE file of these streams: sectors, a table of which follows which, and a directory."""
    body, fat, places = b"", [FAT], []

    def keep(content):
        nonlocal body
        start, count = len(fat), sectors(content)
        fat.extend([*range(start + 1, start + count), END])
        body += content.ljust(count * SECTOR, b"\0")
        return start

    small, small_fat = b"", []
    for content in streams.values():
        if not content:
            places.append(END)
        elif len(content) >= 4096:
            places.append(keep(content))
        else:
            start, count = len(small_fat), sectors(content, SMALL)
            small_fat.extend([*range(start + 1, start + count), END])
            small += content.ljust(count * SMALL, b"\0")
            places.append(start)
    mini = keep(small)
    small_table = struct.pack(f"<{len(small_fat)}I", *small_fat)
    table = keep(small_table.ljust(sectors(small_table) * SECTOR, b"\xff"))
    entries = [entry("Root Entry", 5, mini, len(small), child=1)]
    names = list(streams)
    for number, (name, place) in enumerate(zip(names, places, strict=True), 1):
        right = number + 1 if number < len(names) else FREE
        entries.append(entry(name, 2, place, len(streams[name]), right=right))
    directory = keep(b"".join(entries))
    assert len(fat) <= SECTOR // 4
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(24, b"\0") + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6)
    head += bytes(6) + struct.pack("<IIIIIIIII", 0, 1, directory, 0, 4096, table, sectors(small_table), END, 0)
    head += struct.pack("<109I", 0, *[FREE] * 108)
    return head + struct.pack(f"<{SECTOR // 4}I", *fat, *[FREE] * (SECTOR // 4 - len(fat))) + body


def entry(name, kind, start, size, right=FREE, child=FREE):
    text = name.encode("utf-16-le") + b"\0\0"
    return struct.pack(
        "<64sHBBIII16sIQQIQ", text, len(text), kind, 1, FREE, right, child, bytes(16), 0, 0, 0, start, size
    )


def settings(tables):
    """Settings as Olympus's program writes them."""
    lines = [line for name, said in tables.items() for line in (f"[{name}]", *(f"{k}={v}" for k, v in said.items()))]
    return b"\xff\xfe" + "\r\n".join([*lines, ""]).encode("utf-16-le")


def olympus(shape, order="XYCZT", names=("DAPI", "GFP")):
    """What the settings of an OIF say of an image t z c y x."""
    sizes = dict(zip("TZCYX", shape, strict=True))
    far = {"X": (0, 10, "um"), "Y": (0, 20, "um"), "Z": (1000, 3000, "nm"), "T": (0, 500, "ms"), "C": (0, 0, "")}
    tables = {
        "ProfileSaveInfo": {"Name": '"x"', "Version": '"1"'},
        "Axis Parameter Common": {"AxisOrder": f'"{order}"'},
    }
    for number, axis in enumerate("XYCZT"):
        begin, end, unit = far[axis]
        tables[f"Axis {number} Parameters Common"] = {
            "AxisCode": f'"{axis}"', "StartPosition": begin, "EndPosition": end, "MaxSize": sizes[axis],
            "UnitName": f'"{unit}"',
        }  # fmt: skip
    for number, name in enumerate(names, 1):
        tables[f"GUI Channel {number} Parameters"] = {"DyeName": f'"{name}"'}
    return tables


def oif_planes(image, **how):
    """The files of an image t z c y x."""
    return {
        f"s_C{c + 1:03}Z{z + 1:03}T{t + 1:03}.tif": tiff(image[t, z, c], **how)
        for t, z, c in np.ndindex(image.shape[:3])
    }


def write_oif(file, image, tables=None):
    """An OIF and its folder, of an image t z c y x."""
    file.write_bytes(settings(tables or olympus(image.shape)))
    folder = file.with_name(f"{file.name}.files")
    folder.mkdir()
    for name, content in {**oif_planes(image), "s_Thumb.bmp": b"BM"}.items():
        (folder / name).write_bytes(content)


def oib(image, tables=None, **how):
    """The bytes of an OIB, of an image t z c y x."""
    inside = {"x.oif": settings(tables or olympus(image.shape)), **oif_planes(image, **how)}
    info = {"Name": '"x"', "Version": '"2"', "MainFileName": "Stream00000"}
    folder = {name: name if name == "x.oif" else f"Storage00001/{name}" for name in inside}
    info |= {f"Stream{number:05}": name for number, name in enumerate(folder.values())}
    streams = {f"Stream{number:05}": content for number, content in enumerate(inside.values())}
    return compound({"OibInfo.txt": settings({"OibSaveInfo": info}), **streams})


def write_nd(folder, image, gone=(), z=True, says=(), in_file=True, waves=("DAPI", "GFP_1")):
    """An ND and its files, of an image of stages, times and waves s t w z y x; a file each."""
    stages, times = image.shape[:2]
    lines = ['"NDInfoFile", Version 1.0', '"Description", drawn', f'"DoTimelapse", TRUE\n"NTimePoints", {times}']
    lines += [f'"DoStage", TRUE\n"NStagePositions", {stages}', *(f'"Stage{s + 1}", "here"' for s in range(stages))]
    lines += [f'"DoWave", TRUE\n"NWavelengths", {len(waves)}']
    lines += [f'"WaveName{n}", "{name}"\n"WaveDoZ{n}", {"TRUE" if z else "FALSE"}' for n, name in enumerate(waves, 1)]
    lines += [f'"DoZSeries", TRUE\n"NZSteps", {image.shape[3]}', '"ZStepSize", 0,50', *says]
    lines += [f'"WaveInFileName", {"TRUE" if in_file else "FALSE"}', '"EndFile"', ""]
    (folder / "x.nd").write_text("\n".join(lines))
    for s, t, w in np.ndindex(image.shape[:3]):
        name = f"x_w{w + 1}{waves[w].replace('_', '-') if in_file else ''}_s{s + 1}_t{t + 1}.stk"
        if (s, t, w) not in gone:
            tifffile.imwrite(folder / name, image[s, t, w] if z else image[s, t, w, 0], photometric="minisblack")


CHANNEL = (
    '<ChannelDescription DataType="0" ChannelTag="0" Resolution="16" NameOfMeasuredQuantity="" Min="0" Max="1" Unit="" '
    'LUTName="{lut}" IsLUTInverted="0" BytesInc="{at}" BitInc="0"/>'
)
DIMENSION = '<DimensionDescription DimID="{axis}" NumberOfElements="{n}" Origin="0" Length="{length}" Unit="m" BytesInc="{step}" BitInc="0"/>'  # noqa: E501


def leica(image, memory, name="one"):
    """What an image c z y x of Leica says of itself."""
    c, z, y, x = image.shape
    dims = [(1, x, 2), (2, y, 2 * x), (3, z, 2 * x * y)]
    dimensions = "".join(DIMENSION.format(axis=a, n=n, length=1e-6 * (n - 1), step=step) for a, n, step in dims)
    luts = ("Red", "Green", "Blue")
    channels = "".join(CHANNEL.format(lut=luts[number], at=2 * x * y * z * number) for number in range(c))
    return (
        f'<LMSDataContainerHeader Version="2"><Element Name="{name}"><Data><Image><ImageDescription>'
        f"<Channels>{channels}</Channels><Dimensions>{dimensions}</Dimensions></ImageDescription></Image></Data>"
        f"{memory}</Element></LMSDataContainerHeader>"
    )


def lif(image, xml=None):
    """The bytes of a LIF of an image c z y x of uint16."""
    said = (xml or leica(image, f'<Memory Size="{image.nbytes}" MemoryBlockID="MemBlock_1"/>')).encode("utf-16-le")
    head = struct.pack("<IIBI", 0x70, 5 + len(said), 0x2A, len(said) // 2) + said
    name = "MemBlock_1".encode("utf-16-le")
    block = struct.pack("<IIBQBI", 0x70, 14 + len(name), 0x2A, image.nbytes, 0x2A, len(name) // 2) + name
    return head + block + image.astype("<u2").tobytes()


def write_xlif(folder, image, named="../x{n}.tif"):
    """An XLIF in a folder `Metadata`, and a TIFF each plane beside that, of an image c z y x of uint16."""
    (folder / "Metadata").mkdir()
    flat = image.reshape(-1, *image.shape[2:])
    frames = "".join(
        f'<Frame File="{named.format(n=n)}" Offset="{n * flat[0].nbytes}" Size="{flat[0].nbytes}"/>'
        for n in range(len(flat))
    )
    for n, plane in enumerate(flat):
        (folder / f"x{n}.tif").write_bytes(tiff(plane))
    memory = f'<Memory Size="{image.nbytes}" MemoryBlockID="MemBlock_1">{frames}</Memory>'
    (folder / "Metadata/x.xlif").write_text('<?xml version="1.0"?>' + leica(image, memory))


def spe(image):
    """The bytes of an SPE of an image z y x of uint16."""
    head = bytearray(4100)
    struct.pack_into("<H", head, 42, image.shape[2])
    struct.pack_into("<H", head, 108, 3)
    struct.pack_into("<H", head, 656, image.shape[1])
    struct.pack_into("<i", head, 1446, image.shape[0])
    struct.pack_into("<f", head, 1992, 2.5)
    return bytes(head) + image.astype("<u2").tobytes()


def dv(image):
    """The bytes of a DeltaVision file of an image z y x of uint16."""
    z, y, x = image.shape
    head = bytearray(1024)
    struct.pack_into("<4i", head, 0, x, y, z, 6)
    struct.pack_into("<3f", head, 40, 0.1, 0.1, 0.5)
    struct.pack_into("<h", head, 96, -16224)
    struct.pack_into("<2h", head, 180, 1, 0)
    struct.pack_into("<h", head, 196, 1)
    return bytes(head) + image.astype("<u2").tobytes()


def svs(image):
    """The bytes of a whole slide y x of three samples, with a thumbnail, a smaller level and a label."""
    made = io.BytesIO()
    said = "Aperio Image Library v1\n{} |MPP = 0.499"
    with tifffile.TiffWriter(made) as writer:
        for number, (part, kind) in enumerate(((image, ""), (image[::4, ::4], ""), (image[::2, ::2], ""))):
            tile = None if number == 1 else (16, 16)
            writer.write(part, photometric="rgb", tile=tile, description=said.format(kind), metadata=None)
        writer.write(
            image[:8, :8], photometric="rgb", description=said.format("label 8x8"), metadata=None, subfiletype=1
        )
    return made.getvalue()


def lsm(image, sizes=(1e-7, 2e-7, 5e-7)):
    """The bytes of a Zeiss LSM of an image z y x: a page each plane, and a smaller one after each."""
    z, y, x = image.shape
    info = bytearray(512)
    struct.pack_into("<Ii3i", info, 0, 0x00400494C, 512, x, y, z)
    struct.pack_into("<3i", info, 20, 1, 1, 2)
    struct.pack_into("<3d", info, 40, *sizes)
    made = io.BytesIO()
    with tifffile.TiffWriter(made) as writer:
        for number, plane in enumerate(image):
            extra = [(34412, 1, len(info), bytes(info), True)] if number == 0 else []
            writer.write(plane, photometric="minisblack", metadata=None, extratags=extra, software=False)
            writer.write(
                plane[::2, ::2].astype(np.uint8), photometric="minisblack", metadata=None, subfiletype=1, software=False
            )
    return made.getvalue()


def jpeg(plane):
    """The bytes of a JPEG."""
    return bytes(imagecodecs.jpeg8_encode(plane, level=95))


def czi(image):
    """The bytes of a CZI of an image z y x."""
    from pylibCZIrw.czi import create_czi

    with TemporaryDirectory() as folder:
        with create_czi(f"{folder}/a.czi") as writer:
            for z, plane in enumerate(image):
                writer.write(plane[..., None], plane={"T": 0, "Z": z, "C": 0})
            writer.write_metadata("drawn", channel_names={0: "DAPI"}, scale_x=1e-7, scale_y=1e-7, scale_z=5e-7)
        return Path(folder, "a.czi").read_bytes()


def ims(image):
    """The bytes of an Imaris file of an image z y x."""
    import h5py

    made = io.BytesIO()
    with h5py.File(made, "w") as whole:
        group = whole.create_group("DataSet/ResolutionLevel 0/TimePoint 0/Channel 0")
        group.create_dataset("Data", data=image, chunks=(1, 8, 8), compression="gzip")
        said = whole.create_group("DataSetInfo/Image")
        for key, text in {"Unit": "um", "ExtMin0": "0", "ExtMax0": "4.5"}.items():
            said.attrs[key] = np.array([letter.encode() for letter in text], "S1")
    return made.getvalue()


def claiming_ims(shape, chunks):
    """The bytes of an Imaris file that claims to hold an image z y x, and holds nothing."""
    import h5py

    made = io.BytesIO()
    with h5py.File(made, "w") as whole:
        group = whole.create_group("DataSet/ResolutionLevel 0/TimePoint 0/Channel 0")
        group.create_dataset("Data", shape, "u2", chunks=chunks)
    return made.getvalue()
