"""What the tests of formats share: pixels to be saved, stacks read whole, files cut short."""

from pathlib import Path

import numpy as np
import tifffile

from unet.formats.readers import open_stack

OME = """<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"{root}><Image ID="Image:0" Name="one">
<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="9" SizeY="8" SizeZ="3" SizeC="{c}" SizeT="1">
{planes}</Pixels></Image></OME>"""
PLANE = '<TiffData FirstC="{c}" FirstZ="{z}" IFD="{ifd}" PlaneCount="1">{uuid}</TiffData>'


def noise(*shape, dtype=np.uint16):
    return np.random.default_rng(0).integers(0, 100, shape).astype(dtype)


def planes(opened):
    """The whole stack, from its planes."""
    leading = opened.shape[:-2]
    return np.stack([opened.plane(index) for index in np.ndindex(leading)]).reshape(opened.shape)


def read(*files, **how):
    with open_stack([str(file) for file in files], **how) as opened:
        return opened, planes(opened)


def cut(file, part):
    data = Path(file).read_bytes()
    Path(file).write_bytes(data[: int(len(data) * part)])


def write(file, image, description):
    tifffile.imwrite(file, image, description=description, metadata=None, photometric="minisblack")


SET = [f"z{z}.ome.tif" for z in range(3)]


def write_set(folder, names=SET, bear=lambda z: f' UUID="urn:uuid:{z}"', said=None, of=""):
    """A set of three z planes, a file each, called `names` now; the OME-XML says z0 … z2, or what is `said`."""
    image, said = noise(3, 8, 9), said or SET
    uuids = [f'<UUID FileName="{name}">urn:uuid:{of}{z}</UUID>' for z, name in enumerate(said)]
    planes = "".join(PLANE.format(c=0, z=z, ifd=0, uuid=uuid) for z, uuid in enumerate(uuids))
    for z, name in enumerate(names):
        write(folder / name, image[z], OME.format(root=bear(z), c=1, planes=planes))
    return image
