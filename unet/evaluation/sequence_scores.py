"""SEG, DET and OP_CSB of the Cell Tracking Challenge, pooled over the frames of a sequence.

The challenge takes the mean over all reference objects of all annotated frames, not over frames; objects wholly within
the border of the field of interest are not judged, neither those of truth nor segments. Counts of frames add up.

Source: Maška et al. 2014, Bioinformatics 30:1609; Matula et al. 2015, PLoS ONE 10:e0144959.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unet.evaluation.contingency import contingency, ratio

Labels = NDArray[Any]
Counts = Mapping[str, float]


def of_interest(labels: Labels, border: int) -> Labels:
    """Labels of a plane without the objects that lie wholly within so many pixels of its edges.

    >>> of_interest(np.array([[1, 1, 1], [0, 1, 0], [2, 2, 2]]), 1).tolist()
    [[1, 1, 1], [0, 1, 0], [0, 0, 0]]
    """
    if not border:
        return labels
    inside = np.unique(labels[border:-border, border:-border])
    return np.where(np.isin(labels, inside), labels, 0)


def seg_counts(truth: Labels, segments: Labels) -> dict[str, float]:
    """What a frame adds to SEG: the summed overlap (IoU) of its objects with their segments, and how many there are.

    >>> seg_counts(np.array([1, 1, 1, 1, 0, 2, 2]), np.array([5, 5, 5, 0, 0, 0, 2]))
    {'overlap': 0.75, 'objects': 2.0}
    """
    table = contingency(truth, segments)
    return {"overlap": float(table.iou[table.covered].sum()), "objects": float(table.objects.size)}


def det_counts(markers: Labels, segments: Labels) -> dict[str, float]:
    """What a frame adds to DET: splits needed, markers missed, segments made up, and how many markers there are.

    >>> det_counts(np.array([1, 1, 0, 2, 2]), np.array([7, 7, 7, 7, 7]))
    {'splits': 1.0, 'missed': 0.0, 'made_up': 0.0, 'markers': 2.0}
    """
    table = contingency(markers, segments)
    found, matched = np.count_nonzero(table.covered), np.unique(table.column[table.covered]).size
    there, made_up = table.objects.size, table.segments.size - matched
    return {
        "splits": float(found - matched),
        "missed": float(there - found),
        "made_up": float(made_up),
        "markers": float(there),
    }


def sequence_figures(counts: Counts) -> dict[str, float]:
    """Figures of a sequence by the counts of its frames, added up; those alone that were counted.

    >>> sequence_figures({"overlap": 1.5, "objects": 2, "splits": 1, "missed": 0, "made_up": 0, "markers": 2})
    {'seg': 0.75, 'det': 0.75, 'op_csb': 0.75}
    """
    figures = {"seg": ratio(counts["overlap"], counts["objects"])}
    if "markers" in counts:
        most = 10 * counts["markers"]
        cost = 5 * counts["splits"] + 10 * counts["missed"] + counts["made_up"]
        figures["det"] = 1 - ratio(min(cost, most), most)
        figures["op_csb"] = (figures["seg"] + figures["det"]) / 2
    return figures
