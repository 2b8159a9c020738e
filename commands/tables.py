"""All tables of the service together: one version, which handles an SMS from its reading to its replies."""

import hashlib
import zlib
from collections.abc import Mapping
from pathlib import Path

from commands import glosses
from commands.service import FILES as COMMANDS
from commands.service import Commands
from routing.files import TableFiles, folder_faults
from routing.loader import FILES as ROUTING
from routing.loader import OPTIONAL
from routing.table import Routing
from routing.tablefile import Fault, TableError

NAMES = (*ROUTING, *COMMANDS)
"""The tables by which SMS are handled: their files."""
KNOWN = (*NAMES, glosses.FILE)
"""The files of which one is shipped, and which an operator's folder may replace."""
EVERY = (*KNOWN, *OPTIONAL)
"""The files that an operator's folder may have."""
HANDLING = (*NAMES, *OPTIONAL)
"""The files by which SMS are handled; the optional ones may be missing."""

_QUICK = 1
"""Level of zlib: the content of files is kept for comparing, and seldom looked at."""


class Tables:
    """The tables of one version. Immutable. Build them with `load`.

    version: two gateways with the same one handle SMS alike. folder: of the operator, or None. digests: of
    the files, as they were read. The other attributes are what each SMS needs of routing and parser;
    main_number is None without second numbers.
    """

    __slots__ = (
        "__weakref__",
        "_files",
        "commands",
        "digests",
        "folder",
        "home",
        "in_doubt",
        "main_number",
        "msisdn",
        "parse",
        "resolve",
        "routing",
        "version",
    )

    def __init__(
        self,
        routing: Routing,
        commands: Commands,
        folder: Path | None = None,
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        self.routing = routing
        self.commands = commands
        self.version = f"{routing.version}.{commands.version}"
        self.folder = folder
        self.digests = {name: digest_of(octets) for name, octets in (files or {}).items()}
        self._files = {name: zlib.compress(octets, _QUICK) for name, octets in (files or {}).items()}
        self.home = routing.home
        self.msisdn = routing.numbers.msisdn
        self.resolve = routing.resolve
        self.main_number = routing.main_number if routing.has_second_numbers else None
        self.parse = commands.parser.parse
        self.in_doubt = commands.parser.password_in_doubt

    @classmethod
    def load(cls, folder: Path | None = None) -> "Tables":
        """The shipped tables, with the files of an operator's folder in place of those of the same name.

        Raises TableError with all faults, also if a file changes meanwhile: somebody is still writing it.
        """
        check_folder(folder)
        files = contents(folder)
        routing = Routing.load(folder)
        loaded = cls(routing, Commands.load(routing, folder), folder, files)
        again = contents(folder)
        if changed := [name for name in HANDLING if files.get(name) != again.get(name)]:
            reason = "has changed while it was read: wait until it is written, then try again"
            raise TableError(Fault(str(path_of(name, folder)), 0, "(file)", reason) for name in changed)
        return loaded

    def content(self, name: str) -> bytes:
        """The octets of a file of HANDLING when these tables were read; empty if it was not there."""
        octets = self._files.get(name)
        return b"" if octets is None else zlib.decompress(octets)


class InForce:
    """The tables in force. Whoever needs the tables of this moment asks here and keeps none of them; an SMS
    keeps those with which it was read."""

    __slots__ = ("tables",)

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    def home(self, msisdn: str) -> str:
        """The province code of an 11-digit mobile; "000" where it is not known."""
        return self.tables.home(msisdn)


def digest_of(octets: bytes) -> str:
    """By what the content of a file is told from another one."""
    return hashlib.sha256(octets).hexdigest()[:12]


def check_folder(folder: Path | None) -> None:
    """Raise TableError if an operator's folder cannot be read, or has a file that is no table."""
    if folder is not None and (faults := list(folder_faults(folder, EVERY))):
        raise TableError(faults)


def path_of(name: str, folder: Path | None) -> Path:
    """The file in force of a name of EVERY; an optional one may be missing."""
    here = Path(__file__).parent
    return TableFiles(folder, here.with_name("routing") if name in (*ROUTING, *OPTIONAL) else here).path(name)


def contents(folder: Path | None) -> dict[str, bytes]:
    """The octets of the files of HANDLING. One that cannot be read is left out: the loaders say why."""
    found = {}
    for name in HANDLING:
        try:
            found[name] = path_of(name, folder).read_bytes()
        except OSError:
            continue
    return found
