"""How far a series of a TIFF goes: which positions of the stage it holds, and up to which point in time it is whole."""

from collections.abc import Iterator

import numpy as np
import tifffile

from unet.formats.stack import Pages

POSITION = "R"
"""Axis of tifffile's along which positions of the stage lie."""


def refuse_gaps(file: str, series: tifffile.TiffPageSeries) -> None:
    """Refuse a scene of which planes are not there."""
    missing = sum(page is None for page in series)
    if missing:
        raise ValueError(
            f"{file} must come with all planes of its set, got {len(series) - missing} of {len(series)}; "
            "copy the missing files next to it"
        )


def whole_times(file: str, series: tifffile.TiffPageSeries) -> int | None:
    """Points in time that are whole, where nothing is there after them, as of an acquisition that was stopped early.

    None where all planes are there; what lacks others is refused.
    """
    present = [page is not None for page in series]
    if all(present):
        return None
    axes = series.axes[: len(series.shape) - len(series.keyframe.shape)]
    is_there = np.moveaxis(np.reshape(present, series.shape[: len(axes)]), axes.find("T"), 0)
    is_whole = is_there.reshape(len(is_there), -1).all(axis=1)
    times = int(is_whole.argmin())
    if "T" not in axes or times == 0 or is_there[times + 1 :].any():
        refuse_gaps(file, series)
    return times


def positions(series: tifffile.TiffPageSeries) -> int:
    """Positions of the stage that a series was taken at, as Micro-Manager has them: each is a scene."""
    at = series.axes.find(POSITION)
    return int(series.shape[at]) if at >= 0 and series.axes.count(POSITION) == 1 else 1


def at_position(pages: Pages, position: int) -> Pages:
    """The pages of one position; all where there is one."""
    at = pages.axes.find(POSITION)
    if at < 0:
        return pages

    def read(index: tuple[int, ...]) -> np.ndarray:
        return pages.read((*index[:at], position, *index[at:]))

    axes, shape = pages.axes.replace(POSITION, ""), (*pages.shape[:at], *pages.shape[at + 1 :])
    return pages._replace(axes=axes, shape=shape, read=read)


def until(pages: Pages, times: int | None) -> Pages:
    """The first points in time of some pages."""
    if times is None:
        return pages
    return pages._replace(shape=tuple(times if a == "t" else n for a, n in zip(pages.axes, pages.shape, strict=True)))


def stopped(series: tifffile.TiffPageSeries, times: int | None) -> Iterator[str]:
    """What is said of a series of which these are all points in time that are whole."""
    if times is not None:
        yield f"it has {times} of {series.shape[series.axes.index('T')]} points in time, as if it was stopped early"
