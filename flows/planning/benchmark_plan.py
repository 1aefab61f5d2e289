"""What is to be done of a benchmark: which folds are made, which are scored, and what the others would take.

A fold is an ordinary dataset, so that its own plan says what is stale in it. Where files, record, plan and counts are
those of now nothing is to be done, and that is seen without a server.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from flows.planning.estimate import as_minutes, estimate
from flows.planning.plan import Plan, make_plan
from unet.benchmarks.folds import Fold, folds_of
from unet.benchmarks.layouts import BenchmarkUnit, find_units
from unet.benchmarks.order import BenchmarkOrder
from unet.dataset.folder import Json
from unet.dataset.record_file import read_record
from unet.settings.record import Record


@dataclass(frozen=True)
class FoldPlan:
    """What is to be done of one fold."""

    fold: Fold
    is_begun: bool
    """Whether there is a dataset of it."""
    plan: Plan | None
    """The plan of its dataset; None where its files or its record are not those of now."""
    counted: Json | None
    """What was counted of it, if that is of what lies there now."""
    seconds: float | None
    """What its stages would take, by past rates; None where nobody knows."""

    @property
    def is_prepared(self) -> bool:
        """Whether its files and its record are those of now."""
        return self.plan is not None

    @property
    def is_done(self) -> bool:
        """Whether nothing is to be done."""
        return self.is_prepared and not self.pending and self.counted is not None

    @property
    def pending(self) -> int:
        """Number of results to be made in its dataset, where there is one."""
        return len(self.plan.pending()) if self.plan else 0

    @property
    def words(self) -> str:
        """What is to be done, and why."""
        if not self.is_prepared:
            return "its data or its settings changed" if self.is_begun else "never made"
        if self.pending:
            return f"{self.pending} results to make"
        return "made and scored" if self.is_done else "made, to be scored"


@dataclass(frozen=True)
class BenchmarkPlan:
    """What is to be done of all folds that were asked for."""

    order: BenchmarkOrder
    units: dict[str, BenchmarkUnit]
    folds: tuple[FoldPlan, ...]

    @property
    def is_done(self) -> bool:
        """Whether nothing is to be done, and the table is there."""
        result = (self.order.place / "reproduce.json").read_json() or {}
        made_of = [of.counted["of"] for of in self.folds if of.counted]
        return all(of.is_done for of in self.folds) and result.get("of") == made_of

    def lines(self) -> Iterator[str]:
        """What is there, and what would be done, a line each."""
        benchmark, settings = self.order.benchmark, self.order.settings()
        planes = sum(len(part.planes) for of in self.folds for part in of.fold.tested)
        yield f"{benchmark.title}: {len(self.folds)} folds, {planes} planes to be tested, recipe {self.order.recipe}"
        yield from (f"  {key}: {value}" for key, value in settings.items())
        yield from (_line(of) for of in self.folds)
        if not self.is_done:
            yield from self._cost()

    def _cost(self) -> Iterator[str]:
        """Minutes by past rates, else by what training may take."""
        todo = [of for of in self.folds if of.seconds != 0]
        known = [of.seconds for of in todo if of.seconds is not None]
        if len(known) == len(todo):
            yield f"{as_minutes(sum(known))} by past rates"
            return
        train = Record.read(_nested(self.order.settings())).train
        most = f"{train.minutes:g} minutes at most" if train.minutes else f"{train.steps:,} steps, however long"
        yield f"{len(todo)} trainings of {most} each, and the time to predict; nothing is known of it yet"
        if not train.minutes and self.order.recipe == "paper2015":
            yield "such a network is for a GPU, else it takes days: --minutes M ends each earlier, or --recipe default"


def _line(of: FoldPlan) -> str:
    sizes = [sum(len(part.planes) for part in parts) for parts in (of.fold.training, of.fold.tested)]
    takes = f", {as_minutes(of.seconds)}" if of.seconds else ""
    return f"{of.fold.name:14} {sizes[0]:5} planes train, {sizes[1]:5} are tested: {of.words}{takes}"


def _nested(settings: Json) -> Json:
    """Settings by dotted names as a record has them.

    >>> _nested({"train.minutes": 3, "train.architecture.base": 4})
    {'train': {'minutes': 3, 'architecture': {'base': 4}}}
    """
    nested: Json = {}
    for key, value in settings.items():
        *path, last = key.split(".")
        place = nested
        for step in path:
            place = place.setdefault(step, {})
        place[last] = value
    return nested


def plan_benchmark(order: BenchmarkOrder) -> BenchmarkPlan:
    """What is to be done of a benchmark, as its data and its folder lie there now.

    Raises:
        LookupError, ValueError: the data are not as the challenge offers them, or the folder is of another benchmark.
    """
    from unet.benchmarks.pixels import plane_count

    _require_same(order)
    Record.read(_nested(order.settings()), "--set")
    units = {unit.name: unit for unit in find_units(order.benchmark, Path(order.data))}
    planes = {name: plane_count(unit) for name, unit in units.items()}
    folds = folds_of(order.benchmark, list(units.values()), planes, order.folds)
    return BenchmarkPlan(order, units, tuple(plan_folds(order, units, folds)))


def plan_folds(order: BenchmarkOrder, units: dict[str, BenchmarkUnit], folds: Sequence[Fold]) -> list[FoldPlan]:
    """What is to be done of these folds."""
    counted = {fold.name: order.counted(fold) for fold in folds}
    past = [60 * of["minutes"] for of in counted.values() if of]
    expected = median(past) if past else None
    return [_fold_plan(order, units, fold, counted[fold.name], expected) for fold in folds]


def _fold_plan(
    order: BenchmarkOrder, units: dict[str, BenchmarkUnit], fold: Fold, counted: Json | None, expected: float | None
) -> FoldPlan:
    dataset = order.dataset(fold)
    is_begun = dataset.record.exists()
    if not is_begun or order.made(fold).read_json() != order.wanted(units, fold):
        return FoldPlan(fold, is_begun, None, None, expected)
    record = read_record(dataset)
    plan = make_plan(dataset, record)
    pending = plan.pending()
    seconds = estimate(record, plan, pending).seconds
    return FoldPlan(fold, is_begun, plan, counted, expected if seconds is None else seconds)


def _require_same(order: BenchmarkOrder) -> None:
    known = (order.place / "order.json").read_json()
    if known and known.get("benchmark") != order.name:
        raise ValueError(
            f"--to must be of {order.name}, got {order.to} of {known.get('benchmark')}; give another folder"
        )
