"""What was asked for: a benchmark, its data, the recipe, and the folder that all of it lies in.

TO/
  order.json                     which benchmark this is
  files/FOLD/image, truth        what a fold's dataset is made of; made.json, written last, says of what
  folds/FOLD/                    an ordinary dataset, which every other command takes
  scores/FOLD.json               what was counted of its tested part
  02_RES/                        of a sequence: its segments, for the challenge's own tools
  reproduce.json, reproduce.md   the table
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from unet.benchmarks.folds import Fold
from unet.benchmarks.layouts import BenchmarkUnit
from unet.benchmarks.published import Benchmark, Name, benchmark_of, how_to_get
from unet.dataset.folder import Dataset, Folder, Json
from unet.dataset.record_file import parse_change
from unet.ledger.fingerprint import sizes_and_times
from unet.ledger.results import labels_of, scores_of
from unet.ledger.stamp import digest

TrainingRecipe = Literal["paper2015", "default"]

FILES_VERSION = 1
"""Raised when other files are written of the same data."""
SCORES_VERSION = 1
"""Raised when other counts come of the same segments."""
MODEL = "unet"
"""Name of a fold's model, as a record has it that says nothing."""


@dataclass(frozen=True)
class BenchmarkOrder:
    """A benchmark, as it was asked for."""

    name: Name
    data: str
    """The challenge's folder."""
    to: str
    """The folder of all that is made."""
    recipe: TrainingRecipe = "paper2015"
    minutes: float | None = None
    """Minutes that each training may take; None = as the recipe says."""
    folds: str = ""
    """Which folds, see `folds_of`."""
    changes: tuple[str, ...] = ()
    """Settings besides, each a `section.key=value`."""

    def __post_init__(self) -> None:
        """Refuse a benchmark that nobody knows, and places that cannot be meant."""
        benchmark = benchmark_of(self.name)
        if not self.data:
            raise LookupError(f"--data must name a folder with {benchmark.holds}; {how_to_get(benchmark)}")
        if "://" in self.to or "://" in self.data:
            raise ValueError("--data and --to must be folders on this machine, got an address; copy the data first")
        if self.minutes is not None and not self.minutes > 0:
            raise ValueError(f"--minutes must be > 0, got {self.minutes:g}")
        data, to = Path(self.data).resolve(), Path(self.to).resolve()
        if to.is_relative_to(data):
            raise ValueError(f"--to must lie outside of --data, got {to} in {data}; give a folder of its own")

    @property
    def benchmark(self) -> Benchmark:
        """The benchmark itself."""
        return benchmark_of(self.name)

    @property
    def place(self) -> Dataset:
        """The folder of all that is made."""
        return Dataset(self.to)

    def files(self, fold: Fold) -> Path:
        """Folder of the files that a fold's dataset is made of."""
        return Path(self.to).resolve() / "files" / fold.name

    def made(self, fold: Fold) -> Folder:
        """What the files of a fold were made of."""
        return self.place / f"files/{fold.name}/made.json"

    def dataset(self, fold: Fold) -> Dataset:
        """A fold's dataset."""
        return Dataset((self.place / f"folds/{fold.name}").url)

    def score(self, fold: Fold) -> Folder:
        """What was counted of a fold."""
        return self.place / f"scores/{fold.name}.json"

    def settings(self) -> dict[str, Any]:
        """Settings of a fold's record, by dotted names, where they are not the defaults."""
        chosen: dict[str, Any] = {} if self.recipe == "default" else {"train.preset": self.recipe}
        chosen |= self.benchmark.settings.get(self.recipe, {})
        chosen |= {} if self.minutes is None else {"train.minutes": self.minutes}
        return chosen | dict(parse_change(change) for change in self.changes)

    def wanted(self, units: Mapping[str, BenchmarkUnit], fold: Fold) -> Json:
        """What `made.json` holds where the files of a fold, and its record, are those of now."""
        used = [units[name].files for name in dict.fromkeys(part.unit for part in (*fold.training, *fold.tested))]
        seen = sorted((Path(file).name, *of) for files in used for file, of in sizes_and_times(files).items())
        return {"files": digest([FILES_VERSION, seen, asdict(fold)]), "settings": self.settings()}

    def scored_of(self, fold: Fold) -> str:
        """What the counts of a fold are counted of, in a digest: its files, and what was predicted."""
        dataset, is_scores = self.dataset(fold), self.benchmark.kind == "sections"
        stacks: Sequence[str] = [part.stack for part in fold.tested]
        results = [(scores_of(dataset, MODEL, s) if is_scores else labels_of(dataset, s, MODEL)) for s in stacks]
        stamps = [result.known_stamp() for result in results]
        made = (self.made(fold).read_json() or {}).get("files", "")
        return digest([SCORES_VERSION, made, [stamp.identity if stamp else "" for stamp in stamps]])

    def counted(self, fold: Fold) -> Json | None:
        """What was counted of a fold, if that is of what lies there now."""
        known = self.score(fold).read_json()
        return known if known and known["of"] == self.scored_of(fold) else None
