"""Which classes of a model are segmented, and each by which numbers: what the settings of segment come to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from unet.settings.record import plain
from unet.settings.segment import AUTOMATIC, UNTUNED, Segment, SegmentNumbers

HIGH = "high_threshold"
OF_A_CLASS = (*AUTOMATIC, HIGH)
"""Settings that each class has by itself; a high threshold says nothing of a class whose own is above it."""


class UnlearntError(ValueError):
    """Settings name classes that a model has not learnt, or leave out one that is segmented."""


@dataclass(frozen=True)
class SegmentedClasses:
    """The classes that are segmented, as plain values."""

    learnt: tuple[str, ...]
    """Names of the classes of objects that the model has learnt; the first is class 1."""
    chosen: tuple[int, ...] | None
    """Those of them that are segmented, ascending; None: all that it has scores of."""
    numbers: tuple[SegmentNumbers, ...]
    """How each of these is segmented; one where there is one mask, of one class or of their sum."""

    @classmethod
    def of(
        cls, settings: Segment, model: str, learnt: tuple[str, ...], found: Mapping[str, Any] = UNTUNED
    ) -> "SegmentedClasses":
        """As settings and what was found with a model have it.

        Raises:
            UnlearntError: they do not fit the model.

        >>> classes = SegmentedClasses.of(Segment(threshold={"a": 0.4, "b": 0.6}, classes=("b",)), "net", ("a", "b"))
        >>> classes.chosen, [numbers.threshold for numbers in classes.numbers]
        ((2,), [0.6])
        """
        if len(learnt) == 1:
            one = _by_name(settings, model, learnt, learnt).numbers(found, learnt[0])
            given = settings.classes
            chosen = None if given is None else tuple(_numbers(given, model, learnt, is_open=True))
            return cls(learnt, chosen, (replace(one, classes=chosen),))
        chosen = chosen_classes(settings, model, learnt)
        if settings.mix_classes and len(chosen) > 1:
            return cls(learnt, chosen, (settings.numbers(found),))
        names = [learnt[number - 1] for number in chosen]
        named = _by_name(settings, model, learnt, names)
        return cls(learnt, chosen, tuple(named.numbers(found, name) for name in names))

    @property
    def are_named(self) -> bool:
        """Whether there is more than one class to be told apart."""
        return len(self.learnt) > 1

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes that are segmented; none where the model has but one."""
        return tuple(self.learnt[number - 1] for number in self.chosen or ()) if self.are_named else ()

    @property
    def is_mixed(self) -> bool:
        """Whether objects may be of several classes."""
        return len(self.numbers) < len(self.names)

    @property
    def by_class(self) -> dict[str, SegmentNumbers]:
        """How each class is segmented by its name; nothing where there is one mask."""
        return {} if self.is_mixed else dict(zip(self.names, self.numbers, strict=False))

    def recipe(self) -> dict[str, Any]:
        """What of the settings makes segments what they are; of one class what it was before there were several."""
        first = plain(self.numbers[0])
        if not self.are_named:
            return {name: value for name, value in first.items() if name != "mix_classes"}
        whole = first | {"classes": {str(number): self.learnt[number - 1] for number in self.chosen or ()}}
        if self.is_mixed:
            return whole
        by_class = {name: plain(numbers) for name, numbers in self.by_class.items()}
        own = {each: {name: values[each] for name, values in by_class.items()} for each in OF_A_CLASS}
        if len(set(own[HIGH].values())) == 1:  # as a rule none has one
            own[HIGH] = first[HIGH]
        return whole | {"mix_classes": False} | own


def chosen_classes(settings: Segment, model: str, learnt: tuple[str, ...]) -> tuple[int, ...]:
    """Numbers of the classes that are segmented, ascending; by default all.

    Raises:
        UnlearntError: the model has not learnt one of them, or one is named twice.

    >>> chosen_classes(Segment(classes=("mitosis", 1)), "net", ("nucleus", "mitosis"))
    (1, 2)
    """
    classes = range(1, len(learnt) + 1) if settings.classes is None else settings.classes
    return tuple(sorted(_numbers(classes, model, learnt)))


def require_learnt_classes(settings: Segment, model: str, learnt: tuple[str, ...]) -> None:
    """Refuse classes that a model has not learnt, of one that has learnt these, wherever settings name some.

    >>> require_learnt_classes(Segment(classes=("cell", "nucleus")), "unet", ("nucleus", "cell"))
    """
    chosen = chosen_classes(settings, model, learnt)
    _by_name(settings, model, learnt, [learnt[number - 1] for number in chosen])


def _by_name(settings: Segment, model: str, learnt: tuple[str, ...], chosen: Sequence[str]) -> Segment:
    """The settings, of which what is said of classes is said by their names."""
    given = {name: getattr(settings, name) for name in AUTOMATIC}
    by_class = {name: values for name, values in given.items() if isinstance(values, Mapping)}
    named: dict[str, Any] = {name: _named(name, values, model, learnt) for name, values in by_class.items()}
    for name, values in named.items():
        if missing := ", ".join(each for each in chosen if each not in values):
            raise UnlearntError(
                f"segment.{name} must say something of each class that is segmented, got nothing of {missing}; give it "
                "a number, or auto, or choose other classes by segment.classes"
            )
    return replace(settings, **named)


def _named(setting: str, values: Mapping[int | str, Any], model: str, learnt: tuple[str, ...]) -> dict[str, Any]:
    """Values by the names of classes, which may be given by number."""
    numbers = _numbers(values, model, learnt, f"segment.{setting}")
    return {learnt[number - 1]: value for number, value in zip(numbers, values.values(), strict=True)}


def _numbers(
    classes: Iterable[int | str],
    model: str,
    learnt: tuple[str, ...],
    setting: str = "segment.classes",
    is_open: bool = False,
) -> list[int]:
    """Numbers of classes that are given by name or number.

    Of a model of one class a number may be any where `is_open`: its scores say what there is.
    """
    found: dict[int, int | str] = {}
    for each in classes:
        number = _number(each, learnt) or (each if is_open and isinstance(each, int) else None)
        if number is None:
            known = ", ".join(f"{at} ({name})" for at, name in enumerate(learnt, 1)) if len(learnt) > 1 else "1"
            raise UnlearntError(
                f"{setting} must be among the classes that {model} has learnt, {known}, got {each}; name one of them"
            )
        if number in found:
            raise UnlearntError(f"{setting} must name each class once, got {found[number]} and {each}, which are one")
        found[number] = each
    return list(found)


def _number(given: int | str, learnt: tuple[str, ...]) -> int | None:
    """Number of a class that is given by its name or its number; None where it is not learnt."""
    if given in learnt:
        return learnt.index(str(given)) + 1
    number = int(given) if str(given).isdecimal() else 0
    return number if 1 <= number <= len(learnt) else None
