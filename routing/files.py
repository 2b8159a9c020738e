"""Where the files of tables stand: an operator's own file replaces the shipped file of that name, whole."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from routing.tablefile import Fault, nearest


class TableFiles:
    """The files of tables below `shipped`, each replaced by the one of that name in `folder`, if there is
    one."""

    __slots__ = ("_folder", "_shipped")

    def __init__(self, folder: Path | None, shipped: Path) -> None:
        self._folder = folder
        self._shipped = shipped

    def path(self, name: str) -> Path:
        """The file in force. A link that leads nowhere counts as there: to ignore it would hide a mistake."""
        own = None if self._folder is None else self._folder / name
        return own if own is not None and (own.is_symlink() or own.exists()) else self._shipped / name


def folder_faults(folder: Path, known: Collection[str]) -> Iterator[Fault]:
    """Faults of an operator's folder: it cannot be read, or has a file that replaces none of `known`.

    Names that begin with a dot are left alone: editors and version control make them.
    """
    try:
        found = sorted(_names(folder, frozenset(str(Path(name).parent) for name in known)))
    except OSError as error:
        yield Fault(str(folder), 0, "(folder)", f"cannot be read: {error.strerror}: name a folder")
        return
    for name in found:
        if name not in known:
            yield Fault(str(folder / name), 0, "(file)", f"replaces no table; {nearest(name, known)}")


def _names(folder: Path, parents: Collection[str], inner: str = ".") -> Iterator[str]:
    """The files below a folder, by their path in it; of folders that can hold no table, the name."""
    for path in (folder / inner).iterdir():
        if path.name.startswith("."):
            continue
        name = str(path.relative_to(folder))
        if name in parents and path.is_dir():
            yield from _names(folder, parents, name)
        else:
            yield name
