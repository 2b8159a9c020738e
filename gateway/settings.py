"""The configuration: a closed schema, its defaults, and the merging of file and environment.

The defaults are those of the shipped config.yaml, so the gateway starts without a file. A variable
FETION__SECTION__KEY overrides the file; its value is read as YAML, except where the schema has text; items of
lists are numbered (FETION__SMPP__ACCOUNTS__0__PASSWORD; the position after the last adds an item).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, BaseModel, Field, ValidationError

from gateway.channels.smpp.settings import (
    ONE_OF_A_CENTRE,
    SHIPPED_ACCOUNT,
    LinkSettings,
    Positive,
    Seconds,
    Smpp,
)
from gateway.events.broker import MqttSettings, Node, Provinces
from gateway.operations.console.settings import Console, Statistics
from gateway.operations.telemetry.settings import Telemetry
from gateway.storage.settings import Storage
from routing.tablefile import Closed, Fault, KeyPath, Located, TableError, dotted, read

PREFIX = "FETION__"

EMBEDDED = "(embedded defaults)"
ENVIRONMENT = "(environment)"
"""Replace the file name in faults that belong to no file; the line of a variable is 0."""
PHONES_ACCOUNT = "console"
"""The account through which the phones of the console send and receive SMS."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("is no time zone that this machine knows, such as Asia/Shanghai") from error
    return name


class Service(Closed):
    """timezone: of the days and months of the service.

    migration dual: 161 and 12520 each answer by themselves; unified: all replies leave from 12520.
    sensitive_words: a file with one word per line that no chat may contain; null: none.
    """

    timezone: Annotated[str, AfterValidator(_zone)] = "Asia/Shanghai"
    migration: Literal["dual", "unified"] = "dual"
    sensitive_words: Path | None = None


class LimitSettings(Closed):
    """Limits for one customer; 0: no limit. commands.model.ServiceLimits says what each means."""

    buddies: Positive = 300
    open_questions: Positive = 20
    question_hours: Positive = 24
    list_hours: Positive = 2
    suggestion_minutes: Positive = 10
    message_length: Positive = 180
    sms_per_day: Positive = 600
    sms_per_month: Positive = 10_000
    invitations_per_month: Positive = 1
    free_hours: Positive = 72
    instructions_per_minute: Annotated[int, Field(ge=0, le=10_000)] = 30
    same_text: Annotated[int, Field(ge=0)] = 20
    same_text_minutes: Positive = 10
    help_period: Positive = 600
    province_reply: Positive = 60


class Logging(Closed):
    """format auto: console on a terminal, JSON lines otherwise. file null: standard output.

    backlog: octets that may wait for a file or reader that blocks; lines beyond it are lost and counted.
    """

    format: Literal["auto", "console", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"
    file: Path | None = None
    backlog: Annotated[int, Field(ge=65_536)] = 16_777_216
    mask_msisdn: bool = False


class TableSettings(Closed):
    """folder: of an operator; a file in it replaces the shipped table of that name, whole."""

    folder: Path | None = None


class Shutdown(Closed):
    """deadline: seconds within which everything must have stopped."""

    deadline: Seconds = 10


class Settings(Closed):
    """The whole configuration. Frozen; made by load()."""

    smpp: Smpp = Smpp()
    service: Service = Service()
    limits: LimitSettings = LimitSettings()
    storage: Storage = Storage()
    mqtt: MqttSettings = MqttSettings()
    provinces: Provinces = Provinces()
    node: Node = Node()
    tables: TableSettings = TableSettings()
    console: Console = Console()
    statistics: Statistics = Statistics()
    telemetry: Telemetry = Telemetry()
    logging: Logging = Logging()
    shutdown: Shutdown = Shutdown()


Check = Callable[[Located[Settings]], Iterable[Fault]]


_MENDINGS = 3
"""Rounds of leaving out faulty values: a value, what is missing then, and one to spare."""
_FILLER = "-"


def _nothing_else(_settings: Located[Settings]) -> Iterable[Fault]:
    return ()


def load(path: Path | None, environ: Mapping[str, str], also: Check = _nothing_else) -> Settings:
    """Read the configuration from a file (None: the defaults) and the environment, which overrides it.

    also: further checks that the schema cannot make. They see the values without faults, with absolute
    paths, even if other values have faults. Relative paths become relative to the file (without a file: to
    the working directory). Raises TableError with every fault; a fault of a variable names the variable.
    """
    located: Located[Any] = Located({}, EMBEDDED, {}) if path is None else read(path)
    variables = _Variables(environ, {} if located.value is None else located.value)
    merged = Located(variables.data, located.file, located.lines, located.faults)
    faults = list(variables.faults)
    sound: tuple[Located[Settings], frozenset[str]] | None
    try:
        sound = merged.into(Settings), frozenset()
    except TableError as error:
        faults += error.faults
        sound = _what_is_in_order(merged)
    if sound is None:
        raise TableError(map(variables.named, faults))
    settings, left_out = sound
    anchored = replace(settings, value=_anchored(settings.value, path.parent if path else Path()))
    faults += [fault for fault in (*_across(anchored), *also(anchored)) if not _is_below(fault.key, left_out)]
    if faults:
        raise TableError(map(variables.named, faults))
    return anchored.value


def _what_is_in_order(located: Located[Any]) -> tuple[Located[Settings], frozenset[str]] | None:
    """Return the settings without the values that break the schema, for further checks, and their keys.

    None if too little is left.
    """
    data = deepcopy(located.value)
    left_out: set[str] = set()
    for _ in range(_MENDINGS):
        try:
            value = Settings.model_validate(data)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_context=False, include_input=False):
                if detail["type"] == "missing" or not _is_below(dotted(detail["loc"]), left_out):
                    left_out.add(dotted(_leave_out(data, detail["loc"], detail["type"])))
        else:
            return Located(value, located.file, located.lines), frozenset(left_out)
    return None


def _leave_out(data: Any, loc: KeyPath, kind: str) -> KeyPath:
    """Remove the entry that has a fault from its mapping. Returns the path of that entry.

    A missing entry without a default is filled in instead.
    """
    here, holder, path = data, None, loc
    for depth, part in enumerate(loc):
        if isinstance(here, dict) and part in here:
            holder, path = here, loc[: depth + 1]
        elif not (isinstance(here, list) and part in range(len(here))):
            break
        here = here[part]
    if kind == "missing" and isinstance(here, dict):
        here[loc[-1]] = _FILLER
        return loc
    if holder is not None:
        del holder[path[-1]]
    return path


def _is_below(key: str, above: Iterable[str]) -> bool:
    """Return whether a key is one of these, or belongs to a value within one of them."""
    return any(key == each or key.startswith((f"{each}.", f"{each}[")) for each in above)


def unread(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield variables that look like ours but are not read, each with the most similar one that is.

    FETION_SMPP_PORT comes with FETION__SMPP__LISTEN__PORT; without a similar one, FETION__SECTION__KEY.
    """
    stray = sorted(name for name in environ if name.startswith("FETION_") and not name.startswith(PREFIX))
    known = {name.replace("__", "_"): name for name in _variables(Settings, PREFIX)} if stray else {}
    for name in stray:
        close = get_close_matches(name.upper(), known, n=1)
        yield name, known[close[0]] if close else f"{PREFIX}SECTION__KEY"


def _variables(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """Yield the name of each variable of the schema; for lists, that of the first item."""
    for name, field in model.model_fields.items():
        here = f"{prefix}{name.upper()}"
        inner = [field.annotation, *get_args(field.annotation)]
        models = [kind for kind in inner if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if models:
            yield from _variables(models[0], f"{here}__" if models[0] is field.annotation else f"{here}__0__")
        else:
            yield here


class _Variables:
    """Merges the environment into the data of the file, and remembers which variable set which value."""

    def __init__(self, environ: Mapping[str, str], data: object) -> None:
        self.data = deepcopy(data)
        self.faults: list[Fault] = []
        self._names: dict[str, str] = {}
        for name in sorted(name for name in environ if name.startswith(PREFIX)):
            path = tuple(
                int(p) if p.isdecimal() else p for p in name.removeprefix(PREFIX).lower().split("__")
            )
            self._names[dotted(path)] = name
            try:
                value = environ[name] if _wants_text(Settings, path) else yaml.safe_load(environ[name])
                self._set(name, path, value)
            except (yaml.YAMLError, ValueError) as error:
                reason = "is not YAML" if isinstance(error, yaml.YAMLError) else str(error)
                self.faults.append(Fault(ENVIRONMENT, 0, name, reason))

    def named(self, fault: Fault) -> Fault:
        """Return the fault, with the name of the variable that set the value, if one did."""
        for key in sorted(self._names, key=len, reverse=True):
            if fault.key == key:
                return Fault(ENVIRONMENT, 0, self._names[key], fault.reason)
            if _is_below(fault.key, (key,)):
                return Fault(ENVIRONMENT, 0, self._names[key], f"{fault.key}: {fault.reason}")
        return fault

    def _set(self, name: str, path: KeyPath, value: object) -> None:
        """Set a value, and make the missing sections above it. Raises ValueError if it has no place."""
        here: Any = self.data
        for depth, part in enumerate(path):
            is_list = isinstance(here, list)
            held = part in range(len(here)) if is_list else isinstance(here, dict) and part in here
            if is_list and part == len(here):
                here.append(None)
            elif (is_list and not held) or not isinstance(here, (dict, list)):
                raise ValueError(f"there is no place for it in {dotted(path[:depth])}")
            if depth == len(path) - 1:
                here[part] = value
            elif not held:
                here[part] = _absent(path[: depth + 1])
                self._names.setdefault(dotted(path[: depth + 1]), name)
            here = here[part]


def _absent(path: KeyPath) -> object:
    """Return the initial value of a missing section or list that a variable sets a value in."""
    if path == ("smpp", "links"):
        return []
    return [dict(SHIPPED_ACCOUNT)] if path == ("smpp", "accounts") else {}


def _wants_text(model: type[BaseModel], path: KeyPath) -> bool:
    """Return whether the schema has text at `path`, so that a variable is not read as YAML."""
    annotation: Any = model
    for part in path:
        inner = [annotation, *get_args(annotation)]
        models = [kind for kind in inner if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if isinstance(part, int):
            annotation = models[0] if models else get_args(annotation)[-1] if get_args(annotation) else None
        elif models and part in models[0].model_fields:
            annotation = models[0].model_fields[part].annotation
        else:
            return False
    return annotation is str


def _across(located: Located[Settings]) -> Iterator[Fault]:
    """Yield faults between values that have none by themselves."""
    smpp = located.value.smpp
    if not smpp.accounts and not smpp.links:
        yield located.fault(("smpp", "accounts"), "must have at least one account, or smpp.links a link")
    yield from _accounts(located)
    yield from _links(located)
    yield from _phones(located)
    yield from _console(located)
    defaults = sum(each.default for each in smpp.accounts) + len(
        {each.account for each in smpp.links if each.default}
    )
    if defaults != 1 and len(smpp.names) > 1:
        reason = f"exactly one account or link must have default: true, not {defaults or 'none'}"
        yield located.fault(("smpp", "accounts"), reason)


def _console(located: Located[Settings]) -> Iterator[Fault]:
    console = located.value.console
    listen = console.listen
    if listen is not None and listen.tls is None and not (console.behind_proxy or _is_loopback(listen.host)):
        reason = "is not loopback, where passwords would pass in the clear: set tls, or console.behind_proxy"
        yield located.fault(("console", "listen", "host"), reason)
    smpp = located.value.smpp.listen
    if listen is not None and listen.port == smpp.port != 0 and listen.host == smpp.host:
        yield located.fault(("console", "listen", "port"), "is smpp.listen.port: take another one")
    if listen is not None and console.streams >= console.connections:
        reason = "must be below console.connections: live pages would leave no connection for others"
        yield located.fault(("console", "streams"), reason)


def _accounts(located: Located[Settings]) -> Iterator[Fault]:
    smpp = located.value.smpp
    seen: dict[str, int] = {}
    exposed = not _is_loopback(smpp.listen.host)
    for position, account in enumerate(smpp.accounts):
        row: KeyPath = ("smpp", "accounts", position)
        if account.nodes is not None and located.value.node.name is None:
            yield located.fault((*row, "nodes"), "names nodes, and node.name is not set: it cannot bind here")
        if not account.modes:
            yield located.fault((*row, "modes"), "must have at least one mode")
        first = seen.setdefault(account.system_id, position)
        if first != position:
            yield located.fault((*row, "system_id"), f"the same as that of smpp.accounts[{first}]")
        if exposed and account.password == SHIPPED_ACCOUNT["password"]:
            reason = f"is not loopback, where the shipped password is refused: set {dotted(row)}.password"
            yield located.fault(("smpp", "listen", "host"), reason)


def _phones(located: Located[Settings]) -> Iterator[Fault]:
    """Yield a fault of each account that has the name of that of the console's phones."""
    smpp = located.value.smpp
    if not located.value.console.phones:
        return
    reason = f"{PHONES_ACCOUNT!r} is the account of console.phones: give this one another name"
    for position, account in enumerate(smpp.accounts):
        if account.name == PHONES_ACCOUNT:
            yield located.fault(("smpp", "accounts", position, "system_id"), reason)
    for position, link in enumerate(smpp.links):
        if link.account == PHONES_ACCOUNT:
            key = "name" if link.centre is None else "centre"
            yield located.fault(("smpp", "links", position, key), reason)


def _links(located: Located[Settings]) -> Iterator[Fault]:
    smpp = located.value.smpp
    accounts = {each.name for each in smpp.accounts}
    seen: dict[str, int] = {}
    for position, link in enumerate(smpp.links):
        row: KeyPath = ("smpp", "links", position)
        first = seen.setdefault(link.name, position)
        if first != position:
            yield located.fault((*row, "name"), f"the same as that of smpp.links[{first}]")
        if link.account in accounts:
            key = "name" if link.centre is None else "centre"
            yield located.fault((*row, key), f"{link.account!r} is the system_id of an account")
        yield from _of_centre(located, position)
        yield from _dialled(located, position)
        if link.nodes is not None and located.value.node.name is None:
            yield located.fault(
                (*row, "nodes"), "names nodes, and node.name is not set: nobody dials it here"
            )
        if link.backup is not None and (link.backup not in smpp.names or link.backup == link.account):
            others = ", ".join(name for name in smpp.names if name != link.account) or "none"
            yield located.fault((*row, "backup"), f"must name another account or centre: {others}")
        if link.tls is not None and (link.tls.cert is None) is not (link.tls.key is None):
            yield located.fault((*row, "tls"), "must have both cert and key, or neither")


def _of_centre(located: Located[Settings], position: int) -> Iterator[Fault]:
    """Yield faults of a link that differs from an earlier one of its centre where it may not."""
    links = located.value.smpp.links
    link = links[position]
    first = next(number for number, each in enumerate(links) if each.account == link.account)
    for key in ONE_OF_A_CENTRE:
        if getattr(link, key) != getattr(links[first], key):
            reason = f"must be as in smpp.links[{first}]: both are of the centre {link.account}"
            yield located.fault(("smpp", "links", position, key), reason)


def _dialled(located: Located[Settings], position: int) -> Iterator[Fault]:
    """Yield faults of the way to a centre."""
    link = located.value.smpp.links[position]
    row: KeyPath = ("smpp", "links", position)
    for number, each in enumerate(link.alternatives):
        if not 1 <= int(each.rpartition(":")[2]) <= 65535:
            yield located.fault((*row, "alternatives", number), "must end with a port from 1 to 65535")
    if link.version == "3.3" and link.bind == "transceiver":
        yield located.fault(
            (*row, "bind"), "must be pair, transmitter or receiver: SMPP 3.3 has no transceiver"
        )
    if link.outbind is None:
        return
    if link.bind == "transmitter":
        yield located.fault(
            (*row, "bind"), "must be transceiver, receiver or pair: outbind asks for a receiver"
        )
    if not link.networks:
        reason = "must be the address or network from which the centre connects, as it has outbind"
        yield located.fault((*row, "host"), reason)
    elif link.bind == "pair" and link.networks[0].num_addresses > 1:
        yield located.fault(
            (*row, "host"), "must be one address, at which the transmitter of the pair is dialled"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _anchored(settings: Settings, base: Path) -> Settings:
    """Return the settings with their relative paths below `base`."""
    service, storage, logging = settings.service, settings.storage, settings.logging
    smpp = settings.smpp
    links = tuple(_link_below(base, each) for each in smpp.links)
    listen = smpp.listen.model_copy(update={"tls": _below(base, smpp.listen.tls)})
    paths: dict[str, object] = {"key_file": base / storage.key_file}
    if storage.in_file:
        paths["url"] = f"sqlite:///{base / storage.path}"
    file = base / logging.file if logging.file else None
    words = base / service.sensitive_words if service.sensitive_words else None
    folder = settings.tables.folder
    console = settings.console
    if console.listen is not None:
        tls = _below(base, console.listen.tls)
        console = console.model_copy(update={"listen": console.listen.model_copy(update={"tls": tls})})
    return settings.model_copy(
        update={
            "console": console,
            "smpp": smpp.model_copy(update={"listen": listen, "links": links}),
            "service": service.model_copy(update={"sensitive_words": words}),
            "storage": storage.model_copy(update=paths),
            "mqtt": settings.mqtt.below(base),
            "tables": TableSettings(folder=base / folder if folder else None),
            "logging": logging.model_copy(update={"file": file}),
        }
    )


def _link_below(base: Path, link: LinkSettings) -> LinkSettings:
    return link.model_copy(update={"tls": _below(base, link.tls)})


def _below(base: Path, section: BaseModel | None) -> BaseModel | None:
    """Return a section with its relative paths below `base`."""
    if section is None:
        return None
    paths = {name: base / value for name, value in section if isinstance(value, Path)}
    return section.model_copy(update=paths)
