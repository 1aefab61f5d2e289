"""The ledger is the store itself: what a result was made of is written into the result, last.

A result is a folder with a metadata file (`zarr.json`, `model.json`, `metrics.json`) and its arrays or files below a
*generation*, a folder named after the digest of stage version, settings, inputs and numeric plan; levels of a pyramid
lie beside it, under its name. While a generation is in the making its own metadata file says what it is made of;
putting the result's is the one act that commits it. Until then readers see the generation before; afterwards that one
is removed. Kill any process at any moment and run again: what is found of a generation of the same recipe is taken on,
with the plan it was begun with. What people look for under a name of its own, a table or a page, lies in the generation
too and is published, a copy, once that is committed; before, the copy of the generation before is removed.

Rejected: a database of runs (it can disagree with the files), and time stamps (they change when files are copied).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from unet.dataset.folder import DRAFT, Folder, Json
from unet.ledger.contents import CONTENTS, DAMAGED, PUBLISHED, Contents
from unet.ledger.metadata_file import KEY, MetadataFile
from unet.ledger.metadata_types import Facts
from unet.ledger.stamp import Recipe, Stamp, digest
from unet.sources.zarr_nodes import is_zarr_folder

LINK = "link.json"
"""File that stands for a full level whose pixels are another program's."""
GENERATION = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Generation:
    """A generation in the making: its folder, and the plan that every worker and every resumption uses."""

    folder: Folder
    recipe: Recipe
    plan: Json

    @property
    def name(self) -> str:
        """Digest that names it."""
        return self.folder.name

    def level(self, number: int) -> Folder:
        """Folder of a level of its pyramid: beside its own, as validators look for no level of labels further below."""
        return Folder(f"{self.folder.url}.{number}")


@dataclass(frozen=True)
class Result:
    """A place that holds one committed result, and generations in the making."""

    folder: Folder
    metadata_file: str = "zarr.json"
    published: tuple[tuple[str, Folder], ...] = ()
    """Files of a generation that are copied, and where to."""
    is_edited: bool = False
    """Whether people may edit its full level."""

    def stamp(self) -> Stamp | None:
        """The committed result's stamp; None where there is none."""
        return self.folder.once("stamp", self._read_stamp)

    def _read_stamp(self) -> Stamp | None:
        values = self._entry(self.folder)
        if "generation" not in values:
            return None
        file = self._file().place.url
        try:
            return replace(Stamp.of(values), facts=Facts(values.get("facts", {}), file))
        except ValueError as error:
            raise ValueError(f"{file} is damaged: {error}; remove it and run again") from error

    def committed(self) -> Stamp:
        """The committed result's stamp; LookupError that says what to run where there is none."""
        stamp = self.stamp()
        if stamp is None:
            raise LookupError(f"{self.folder.url} holds no finished result; run `unet-flows reprocess` on its dataset")
        return stamp

    def attributes(self) -> Json:
        """All that stands in the committed metadata file."""
        return self._file().attributes()

    def known_attributes(self) -> Json:
        """The same; nothing where the file is damaged."""
        try:
            return self.folder.once("metadata", self.attributes)
        except ValueError:
            return {}

    def known_stamp(self) -> Stamp | None:
        """The committed result's stamp; None where there is none, or it is damaged."""
        try:
            return self.stamp()
        except ValueError:
            return None

    def is_made_by(self, recipe: Recipe) -> bool:
        """Whether what is committed was made by this recipe, and is whole."""
        stamp = self.known_stamp()
        return stamp is not None and stamp.recipe == recipe and not self.holes()

    def is_metadata_whole(self) -> bool:
        """Whether the committed metadata is what was put, to the bit."""
        return self._file().is_whole()

    def was_committed(self) -> bool:
        """Whether there is a whole generation, though its metadata may be lost: the list of its files comes last."""
        return any((self.folder / name / CONTENTS).exists() for name in self._generations())

    def is_metadata_lost(self) -> bool:
        """Whether what was committed has no metadata any more, or metadata that is damaged."""
        if self.known_stamp() is not None or not self.was_committed():
            return False
        return not self.known_attributes()

    def is_untouched(self) -> bool:
        """Whether the full level of what was committed, by whatever metadata, is as it was then."""
        return any(self.contents(name).is_untouched(None) for name in self._generations())

    def contents(self, generation: str) -> Contents:
        """The files of a generation."""
        return Contents(self.folder, generation, self.is_edited)

    def _seen_contents(self, generation: str) -> Contents:
        """The same, listed once in a snapshot."""
        return self.folder.once(("contents", generation), lambda: self.contents(generation))

    def holes(self) -> list[str]:
        """Files of the committed result that are lost or damaged, by a listing; those a reading found too."""
        return self.folder.once("holes", self._find_holes)

    def _find_holes(self) -> list[str]:
        stamp = self.known_stamp()
        if stamp is None or {"dropped", "withdrawn"} & set(stamp.facts):
            return []
        contents, kept = self._seen_contents(stamp.generation), stamp.facts.get("contents")
        holes = contents.holes(kept)
        if (linked := stamp.facts.get("link")) and not is_zarr_folder(Path(linked)):
            holes.append(f"{stamp.generation}.0/{LINK}")
        is_copied = all(self._is_copied(contents, each, is_listed=bool(kept)) for each in self.published)
        if not is_copied and PUBLISHED not in holes:
            holes.append(PUBLISHED)
        return holes

    def _is_copied(self, contents: Contents, published: tuple[str, Folder], is_listed: bool) -> bool:
        """Whether a copy is there, and as large as what it is of where its files are listed."""
        name, place = published
        return place.size() == contents.sizes.get(f"{contents.generation}/{name}", 0) if is_listed else place.exists()

    def where(self, name: str) -> str:
        """URL of one of its files, as `holes` names them; of a link, what it leads to."""
        stamp = self.known_stamp() if name.endswith(f"/{LINK}") else None
        if stamp and stamp.facts.get("link"):
            return str(stamp.facts["link"])
        if name != PUBLISHED or not self.published:
            return (self.folder / name).url
        places = [place for _, place in self.published]
        return next((place for place in places if not place.exists()), places[0]).url

    def leftovers(self) -> list[Folder]:
        """What killed runs left beside and in the committed generation."""
        stamp = self.stamp()
        if stamp is None:
            return []
        others = [
            n
            for n in self._seen_contents(stamp.generation).names
            if DRAFT.search(n) or _is_of_another(n, stamp.generation)
        ]
        return [*(self.folder / name for name in others), *self._seen_contents(stamp.generation).drafts]

    def begin(self, recipe: Recipe, plan: Json, same: Sequence[str] = (), is_mended: bool = True) -> Generation:
        """The generation to write into: an unfinished one of this recipe, with its plan, or a new one.

        The committed one, of this recipe, where some of its files are lost or damaged: those are made again.

        Args:
            recipe: what it is made of.
            plan: the numeric plan of a new one.
            same: in what the plan of one that is gone on with must agree with this plan; else it is begun anew.
            is_mended: whether files of the committed one can be made again, with the same values.
        """
        committed = self.known_stamp()
        if committed is not None and committed.recipe == recipe:
            holes = self._find_holes() if is_mended and _agree(committed.plan, plan, same) else []
            if holes:
                self.contents(committed.generation).clear(holes)
                return self._begun(self.folder / committed.generation, recipe, committed.plan)
            plan = {**plan, "attempt": committed.plan.get("attempt", 1) + 1}
        for name in self._generations():
            entry = self._entry(self.folder / name)
            if recipe.is_of(entry.get("recipe")) and not (committed and committed.generation == name):
                if _agree(entry["plan"], plan, same):
                    own = f"{name}/{self.metadata_file}"
                    if unlike := [file for file in self.contents(name).unlike() if file != own]:
                        self.contents(name).clear(unlike)
                    return Generation(self.folder / name, recipe, entry["plan"])
                self.discard(name)
        return self._begun(self.folder / digest([asdict(recipe), plan]), recipe, plan)

    def _begun(self, folder: Folder, recipe: Recipe, plan: Json) -> Generation:
        if not self._entry(folder):
            self._file(folder).put({KEY: {"recipe": asdict(recipe), "plan": plan}}, is_checked=False)
        return Generation(folder, recipe, plan)

    def commit(self, generation: Generation, attributes: Mapping[str, Any], facts: Json | None = None) -> Stamp:
        """Put the metadata file: from now on this generation is the result; the others are removed.

        Raises:
            OSError: the generation is not there: another run, which held no lease, removed it.
        """
        if not self._file(generation.folder).place.exists():
            raise OSError(f"{generation.folder.url} must be there until it is committed; another run removed it")
        contents = self.contents(generation.name).write()
        stamp = Stamp(generation.recipe, generation.plan, generation.name, {**(facts or {}), "contents": contents})
        for _, place in self.published:
            place.remove()
        self._file().put({**attributes, KEY: asdict(stamp)}, is_checked=True)
        self.publish()
        for left in self.leftovers():
            left.remove()
        return stamp

    def publish(self) -> None:
        """Copy what people find under names of its own."""
        for name, place in self.published:
            place.write((self.folder / self.committed().generation / name).read() or b"")
        if self.published:
            (self.folder / DAMAGED).remove()  # a reading may have noted the copy before; nothing else is lost by now

    def discard(self, name: str) -> None:
        """Remove a generation, its metadata file last, so that an interrupted removal is recognised."""
        *levels, generation = self.parts(name)
        for level in levels:
            level.remove()
        for part in generation.names():
            if part != self.metadata_file:
                (generation / part).remove()
        generation.remove()

    def parts(self, name: str) -> list[Folder]:
        """Folders that a generation lies in: the levels of its pyramid, and last its own."""
        levels = [part for part in self.folder.names() if part.startswith(f"{name}.")]
        return [self.folder / part for part in (*levels, name)]

    def amend(self, facts: Json, recipe: Recipe | None = None, more: Mapping[str, Any] | None = None) -> None:
        """Put the metadata file again with more facts on its stamp and `more` beside it, or as of another recipe."""
        attributes = {**self.attributes(), **(more or {})}
        stamp = {**attributes[KEY], "facts": {**attributes[KEY]["facts"], **facts}}
        attributes[KEY] = stamp if recipe is None else {**stamp, "recipe": asdict(recipe)}
        self._file().put(attributes, is_checked=True)

    def _generations(self) -> list[str]:
        return [name for name in self.folder.names() if GENERATION.fullmatch(name)]

    def _entry(self, folder: Folder) -> Json:
        """What our part of a metadata file says; nothing where a generation's own is damaged, which is begun anew."""
        try:
            return self._file(folder).entry()
        except ValueError:
            if folder == self.folder:
                raise
            return {}

    def _file(self, folder: Folder | None = None) -> MetadataFile:
        """The metadata file of a generation, or the result's."""
        return MetadataFile(folder or self.folder, self.metadata_file)


def _agree(plan: Json, asked: Json, same: Sequence[str]) -> bool:
    return all(plan.get(key) == asked.get(key) for key in same)


def _is_of_another(name: str, generation: str) -> bool:
    """Whether a name is that of another generation, or of a level of its pyramid."""
    first = name.partition(".")[0]
    return bool(GENERATION.fullmatch(first)) and first != generation
