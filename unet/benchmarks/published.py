"""What was published of each benchmark: its figures, where its data are to be had, on which terms, and how it is split.

Figures are those of Ronneberger, Fischer and Brox 2015 and of the challenges' pages. What no source that was read
confirms, and what does not fit the others, is marked as `about`, and never left out in silence.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Name = Literal["isbi2012", "phc-u373", "dic-hela", "dsb2018"]
Kind = Literal["sections", "sequences", "pictures"]
"""How a challenge offers its data: one stack of sections, sequences of frames, or pictures by themselves."""


class Published(NamedTuple):
    """One figure, and whose it is."""

    value: float
    by: str
    is_about: bool = False
    """Whether it stands here from memory, or contradicts others of its list."""


@dataclass(frozen=True)
class PublishedFigure:
    """One measure of a benchmark, and what others reached."""

    name: str
    label: str
    better: Literal["higher", "lower"]
    paper: Published | None = None
    """Of the U-Net of 2015."""
    best: Published | None = None
    """The best that is known."""


@dataclass(frozen=True)
class Benchmark:
    """One published benchmark."""

    title: str
    kind: Kind
    figures: tuple[PublishedFigure, ...]
    """Its measures, the challenge's own first."""
    home: str
    """Where its data are to be had."""
    terms: str
    cite: str
    holds: str
    """What its folder holds, in words."""
    remark: str = ""
    """What must be known to read its figures."""
    pixel_size: Mapping[str, float] = field(default_factory=dict)
    """Micrometers by axis; empty where nobody says."""
    folds: int = 2
    """Parts of the data, each of which is tested once."""
    border: int = 0
    """Pixels along the edges in which an object must not lie wholly, to be judged."""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What a recipe, by its name, asks for besides training."""


P15 = "Ronneberger et al. 2015"
CTC_HOME = "https://celltrackingchallenge.net/2d-datasets/"
CTC_TERMS = (
    "free for work that has to do with the challenge; other public science needs the leave of who recorded them, "
    "commercial use that of the organisers too"
)
CTC_CITE = "Maska et al. 2014, Bioinformatics 30:1609; Maska et al. 2023, Nat Methods 20:1010"
CTC_HOLDS = "01, 01_GT/SEG, 02 and 02_GT/SEG, and perhaps 01_ST/SEG, 01_GT/TRA and those of 02"


def _tracking(title: str, paper: float, best: tuple[float, float, float], size: float) -> Benchmark:
    """A data set of the Cell Tracking Challenge: SEG of the paper, and SEG, DET and OP_CSB of the best."""
    by = [Published(value, "CALT-US") for value in best]
    if abs((best[0] + best[1]) / 2 - best[2]) > 0.001:  # it is their mean, so that one of the three is of another list
        by[2] = by[2]._replace(is_about=True)
    figures = (
        PublishedFigure("seg", "SEG", "higher", Published(paper, P15), by[0]),
        PublishedFigure("det", "DET", "higher", None, by[1]),
        PublishedFigure("op_csb", "OP_CSB", "higher", None, by[2]),
    )
    pixel_size = {"y": size, "x": size}
    return Benchmark(
        title, "sequences", figures, CTC_HOME, CTC_TERMS, CTC_CITE, CTC_HOLDS, pixel_size=pixel_size, border=50
    )


BENCHMARKS: dict[Name, Benchmark] = {
    "isbi2012": Benchmark(
        "ISBI 2012, sections of neurons (EM)",
        "sections",
        (
            PublishedFigure(
                "warping_error", "warping error (board)", "lower", Published(0.000353, P15), Published(0.000353, P15)
            ),
            PublishedFigure(
                "rand_error", "Rand error (2012 board)", "lower", Published(0.0382, P15), Published(0.0189, "IDSIA-SCI")
            ),
            PublishedFigure(
                "pixel_error", "pixel error (board)", "lower", Published(0.0611, P15), Published(0.0582, "DIVE")
            ),
            PublishedFigure(
                "v_rand",
                "V_rand, thinned",
                "higher",
                Published(0.973, P15, True),
                Published(0.98, "the board since 2015", True),
            ),
            PublishedFigure("v_info", "V_info, thinned", "higher", Published(0.987, P15, True)),
        ),
        "https://downloads.imagej.net/ISBI-2012-challenge.zip (https://imagej.net/events/isbi-2012-segmentation-challenge)",
        "free to make or to test software for segmentation, not commercially",
        "Arganda-Carreras et al. 2015, Front Neuroanat 9:142; Cardona et al. 2010, PLoS Biol 8:e1000502",
        "train-volume.tif and train-labels.tif, or numbered slices in image and label (or train/image and train/label)",
        pixel_size={"z": 0.05, "y": 0.004, "x": 0.004},
        remark="Somebody who drew them again: warping error 0.000005, Rand error 0.0021, pixel error 0.0010. "
        "The board's warping error alone says little: it is 0 where everything is membrane.",
        folds=5,
        settings={"paper2015": {"predict.test_time_augmentation": 8}},
    ),
    "phc-u373": _tracking("PhC-C2DH-U373, cells in phase contrast", 0.9203, (0.931, 0.990, 0.961), 0.65),
    "dic-hela": _tracking("DIC-C2DH-HeLa, cells in differential contrast", 0.7756, (0.887, 0.975, 0.926), 0.19),
    "dsb2018": Benchmark(
        "Data Science Bowl 2018, nuclei",
        "pictures",
        (
            PublishedFigure(
                "mean_average_precision",
                "AP over IoU 0.5-0.95",
                "higher",
                None,
                Published(0.6316, "the winner, on the hidden pictures of stage 2"),
            ),
            PublishedFigure("average_precision", "AP at IoU 0.5", "higher"),
        ),
        "https://bbbc.broadinstitute.org/BBBC038",
        "CC0: free for all",
        "Caicedo et al. 2019, Nat Methods 16:1247",
        "stage1_train/ID/images/ID.png with stage1_train/ID/masks/*.png, or image/NAME.tif and label/NAME.tif",
        remark="Colours are taken as grey, the mean of their channels.",
        folds=5,
    ),
}
"""All benchmarks by the names that the command line knows."""


def benchmark_of(name: str) -> Benchmark:
    """The benchmark of this name; LookupError that lists all where there is none.

    >>> benchmark_of("phc-u373").figures[0].paper.value
    0.9203
    """
    for known, benchmark in BENCHMARKS.items():
        if known == name:
            return benchmark
    raise LookupError(f"a benchmark must be one of {', '.join(BENCHMARKS)}, got {name!r}")


def how_to_get(benchmark: Benchmark) -> str:
    """Where its data are to be had, and on which terms: a sentence."""
    return (
        f"its data are at {benchmark.home}; terms: {benchmark.terms}; cite {benchmark.cite}; nothing is downloaded here"
    )
