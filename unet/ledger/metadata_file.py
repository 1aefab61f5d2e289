"""The metadata file of a result, or of a generation in the making: its types are checked as it is read.

That of a result bears a check of all that it says, so that reading tells whether it is what was put, to the bit.
"""

import json
from dataclasses import dataclass

from unet.dataset.folder import Folder, Json
from unet.ledger.metadata_types import SCHEMAS, Entry, require_types
from unet.ledger.stamp import digest

KEY, CHECK = "unet-flows", "check"
"""Our part of a metadata file, and in it the digest of all the rest."""


@dataclass(frozen=True)
class MetadataFile:
    """`zarr.json`, `model.json` or `metrics.json` of a folder."""

    folder: Folder
    name: str

    @property
    def place(self) -> Folder:
        """The file itself."""
        return self.folder / self.name

    def attributes(self) -> Json:
        """All that it says; nothing where there is no file, ValueError where it says what it cannot."""
        values = self._attributes_in(self.place.read_json() or {}) or {}
        require_types(values, SCHEMAS[self.name], self.place.url)
        if isinstance(values.get(KEY), dict):  # else `entry` says so
            values[KEY].pop(CHECK, None)
        return values

    def entry(self) -> Json:
        """What our part says."""
        entry: Json = self.attributes().get(KEY, {})
        require_types(entry, Entry, self.place.url)
        return entry

    def put(self, attributes: Json, is_checked: bool) -> None:
        """Put the file."""
        group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        values = json.loads(json.dumps(group if self.name == "zarr.json" else attributes))
        if is_checked:
            check = digest(values)
            self._attributes_in(values)[KEY][CHECK] = check
        self.place.write_json(values)

    def is_whole(self) -> bool:
        """Whether it is what was put, to the bit; one of before there was a check is."""
        values = self.place.read_json() or {}
        check = self._attributes_in(values)[KEY].pop(CHECK, None)
        return check in (None, digest(values))

    def _attributes_in(self, values: Json) -> Json:
        attributes: Json = values.get("attributes", {}) if self.name == "zarr.json" else values
        return attributes
