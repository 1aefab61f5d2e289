"""The colour that viewers show each channel in: the file's, or one that is told apart by everybody.

Of several channels untold ones get the seven colours of Okabe and Ito (2008), in an order that keeps the first ones
furthest apart: seen with the common colour-blindnesses, simulated after Machado et al. (2009), any two of the first
three differ by more than 20, of the seven by more than 10 (CIEDE2000; 2 is hardly seen). Rejected: red and green, which
one man in twelve takes for each other; magenta and green, which are the furthest apart, but have no third beside them.
"""

from collections.abc import Sequence
from itertools import count

GREY = "FFFFFF"


PRIMARIES = {"red": "FF0000", "green": "00FF00", "blue": "0000FF"}


DISTINCT = ("56B4E9", "D55E00", "F0E442", "CC79A7", "009E73", "0072B2", "E69F00")


def display_colours(channels: Sequence[str], told: Sequence[str] = ()) -> list[str]:
    """Colour of each channel as RRGGBB: one alone is shown in grey, red, green and blue as they are called.

    Colours that are all the same are not believed: they are what a microscope writes that knows of none.

    Args:
        channels: names of the channels.
        told: colour of each as RRGGBB, or "" where the file has none.

    >>> display_colours(["0"]), display_colours(["GFP"], ["00FF00"])
    (['FFFFFF'], ['00FF00'])
    >>> display_colours(["DAPI", "GFP", "phase"], ["", "00FF00", "FFFFFF"])
    ['56B4E9', '00FF00', 'FFFFFF']
    """
    if tuple(channels) == tuple(PRIMARIES):
        return list(PRIMARIES.values())
    if len(channels) == 1:
        return [told[0] or GREY] if told else [GREY]
    known = [*told, *[""] * len(channels)][: len(channels)]
    if len(set(known)) == 1:
        known = [""] * len(channels)
    left = (colour for colour in map(_distinct, count()) if colour not in known)
    return [colour or next(left) for colour in known]


def _distinct(number: int) -> str:
    """A colour of its own for each number: the seven, then each nearer and nearer to white.

    >>> _distinct(0), _distinct(7), _distinct(14)
    ('56B4E9', 'ABD9F4', 'C7E6F8')
    """
    times, which = divmod(number, len(DISTINCT))
    parts = (int(DISTINCT[which][i : i + 2], 16) for i in (0, 2, 4))
    return "".join(f"{255 - round((255 - part) / (times + 1)):02X}" for part in parts)
