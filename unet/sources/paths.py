"""Places that a person wrote as images or truth of a source; those of an address are in the mirror."""

from pathlib import Path
from urllib.parse import unquote

from unet.dataset.filesystem import no_file
from unet.dataset.folder import LEAVING
from unet.dataset.user_place import mirror_home
from unet.settings.remote import SERVERS, is_remote, require_remote
from unet.sources.stack_names import UNSEEN


def resolved(written: str, root: Path) -> Path:
    """Real path that a person wrote, counted from `root`; LookupError where it can be none."""
    if is_remote(written):
        return mirror_place(written)
    try:
        return (root / Path(written).expanduser()).resolve()
    except RuntimeError as error:  # `~name` of nobody here, or links that lead in a circle
        raise LookupError(f"{written!r} must name an existing folder or file, got: {error}") from error


def existing(setting: str, written: str, root: Path) -> Path:
    """Real path of a folder or file that is there; LookupError where it is not, with the setting that names it."""
    path = resolved(written, root)
    if path.exists() and not (path.is_dir() or path.is_file()):
        raise LookupError(
            f"{setting} must name a folder or file: {no_file(str(path), path.stat().st_mode)}; name another"
        )
    if not path.exists() and is_remote(written):
        raise LookupError(f"{setting} {written!r} must hold files that can be fetched, got none; look at its server")
    if not path.exists():
        raise LookupError(f"{setting} must name an existing folder or file, got {written!r}, which would be {path}")
    return path


def mirror_place(address: str) -> Path:
    """Path of this machine's copy of what lies at an address; a part of an address is a folder there.

    So the copies of `s3://lab/raw` and `s3://lab/raw/masks` lie as those two do, one within the other.
    """
    require_remote("a source", address)
    scheme, _, rest = address.rstrip("/").partition("://")
    host, *parts = rest.split("/")
    names = [host, *(unquote(part) if scheme in SERVERS else part for part in parts)]
    if any(not is_safe_name(name) or "/" in name for name in names):
        raise LookupError(f"a source must have an address whose parts are names of files, got {address!r}")
    return mirror_home().resolve().joinpath(scheme, *names)


def is_safe_name(name: str) -> bool:
    """Whether a path that a server gave stays below its folder, and holds nothing that nobody sees.

    >>> is_safe_name("day1/a b.tif"), is_safe_name("../a"), is_safe_name("/a"), is_safe_name("a" + chr(27))
    (True, False, False, False)
    """
    is_plain = not (LEAVING.search(name) or UNSEEN.search(name) or "\n" in name or "\t" in name)
    return bool(name) and is_plain and all(len(part.encode()) <= 240 for part in name.split("/"))
