"""Places that a person wrote as images or truth of a source."""

from pathlib import Path

from unet.dataset.filesystem import no_file


def resolved(written: str, root: Path) -> Path:
    """Real path that a person wrote, counted from `root`; LookupError where it can be none."""
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
    if not path.exists():
        raise LookupError(f"{setting} must name an existing folder or file, got {written!r}, which would be {path}")
    return path
