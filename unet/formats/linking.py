"""An OME-Zarr that is read where it lies, and not copied: its level in the dataset, and its statistics."""

from collections.abc import Sequence

from unet.dataset.folder import Folder
from unet.formats.ome_zarr import zarr_stack
from unet.images.normalisation import Gathering
from unet.sources.stacks import Stack
from unet.store.linked_array import LinkedArray, is_small, link_to, sampled_planes, why_unfit
from unet.store.shards import regions, stack_layout


def linked_level(stack: Stack, level: Folder) -> tuple[LinkedArray | None, tuple[str, ...]]:
    """The pixels of a stack as a level of ours, None where they must be copied; and what is to be said of them."""
    found = zarr_stack(stack.files[0], stack.scene, stack.stated.axes)
    if why := why_unfit(found.array, level):
        return None, (f"its pixels are copied, not linked: {why}",)
    link_to(found.array, found.axes, level)
    linked = LinkedArray(found.array, found.axes)
    return linked, () if is_small(linked) else ("its statistics are of chunks spread evenly, as it is linked",)


def gather_linked(linked: LinkedArray, gatherings: Sequence[Gathering]) -> None:
    """Take in pixels of each channel: all, in the pieces that a copy would have, or chunks spread evenly."""
    if is_small(linked):
        for region in regions(stack_layout(linked.shape, linked.dtype.itemsize)):
            for channel, part in linked.by_channel(region):
                gatherings[channel].add(part)
        return
    for channel, gathering in enumerate(gatherings):
        for plane in sampled_planes(linked, channel):
            gathering.add(plane)
