"""The configuration: a closed schema, its defaults, and how file and environment come together.

The defaults are those of the shipped config.yaml, so the gateway starts without a file. A variable
FETION__SECTION__KEY goes over the file; its value is read as YAML, except where text is wanted; items of
lists go by position (FETION__SMPP__ACCOUNTS__0__PASSWORD; the position after the last adds an item).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from routing.tablefile import Closed, Fault, KeyPath, Located, TableError, dotted, read

PREFIX = "FETION__"

SHIPPED_ACCOUNT: Mapping[str, object] = {"system_id": "smsc", "password": "fetion16", "default": True}
"""Its password stands in the documentation: good for this machine only."""

EMBEDDED = "(embedded defaults)"
ENVIRONMENT = "(environment)"
"""What stands for the file name in faults that no file has; the line is then 0 for a variable."""

TYPE_OF_NUMBER = {"national": 0, "international": 1, "plus": 1}
"""TON for each spelling of a mobile number: unknown, international (SMPP 3.4 section 5.2.5)."""

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
SecondsOrNever = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[int, Field(gt=0)]
Octet = Annotated[int, Field(ge=0, le=255)]
Window = Annotated[int, Field(ge=1, le=100_000)]


def _octets(most: int) -> AfterValidator:
    """Printable ASCII of 1 to `most` octets: a C-octet string of SMPP without its NUL."""

    def check(text: str) -> str:
        if not (text.isascii() and text.isprintable() and 1 <= len(text) <= most):
            raise ValueError(f"must be 1 to {most} printable ASCII characters")
        return text

    return AfterValidator(check)


def _network(value: object) -> IPv4Network | IPv6Network:
    if isinstance(value, (IPv4Network, IPv6Network)):
        return value
    return ip_network(str(value))


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("is no time zone that this machine knows, such as Asia/Shanghai") from error
    return name


def _url(url: str) -> str:
    scheme, separator, _ = url.partition("://")
    if separator and scheme != "sqlite":
        raise ValueError(f"{scheme}: is not built yet: sqlite:///relative/path or sqlite:////absolute/path")
    if not re.fullmatch(r"sqlite:///[^?#:]*[^?#:/]", url):
        raise ValueError("must be sqlite:///relative/path or sqlite:////absolute/path")
    return url


class Listen(Closed):
    """Where SMPP clients connect. port 0: any free one."""

    host: Annotated[str, Field(pattern=r"^\S+$")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 2775


class Timers(Closed):
    """Timers of a session, in seconds (SMPP 3.4 section 7.2). inactivity 0: never."""

    session_init: Seconds = 30
    enquire_link: Seconds = 30
    inactivity: SecondsOrNever = 0
    response: Seconds = 60


class Account(Closed):
    """Who may bind, and how we talk to him.

    window_in: requests of his that may wait for our answer. window_out: ours that may wait for his.
    allow_from: networks he may connect from. default: SMS to a handset that never wrote leave here.
    msisdn_format: how he spells mobile numbers (13..., 8613..., +8613...), and with which ton and npi.
    alphabet: codec for a data_coding, where it differs from the usual. latin: what data_coding 0
    carries on the way out. duplicate: seconds for which a resend is recognised; 0: never.
    """

    system_id: Annotated[str, _octets(15)]
    password: Annotated[str, _octets(8), Field(repr=False)]
    window_in: Window = 1000
    window_out: Window = 100
    allow_from: tuple[Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)], ...] = (
        IPv4Network("127.0.0.0/8"),
    )
    default: bool = False
    modes: frozenset[Literal["transmitter", "receiver", "transceiver"]] = frozenset(
        {"transmitter", "receiver", "transceiver"}
    )
    msisdn_format: Literal["national", "international", "plus"] = "national"
    ton: Octet
    npi: Octet = 1
    alphabet: Mapping[Octet, str] = {}
    latin: Literal["gsm", "ascii"] = "gsm"
    duplicate: SecondsOrNever = 86_400

    @model_validator(mode="before")
    @classmethod
    def _with_ton(cls, data: object) -> object:
        """The type of number that goes with the spelling, where none is given."""
        if not isinstance(data, Mapping):
            return data
        return {"ton": TYPE_OF_NUMBER.get(str(data.get("msisdn_format")), 0), **data}


class Smpp(Closed):
    """The SMPP side. One account, or one of several, is the default account."""

    listen: Listen = Listen()
    timers: Timers = Timers()
    accounts: tuple[Account, ...] = (Account.model_validate(SHIPPED_ACCOUNT),)

    @property
    def default_account(self) -> Account:
        """Where SMS leave for a handset that never wrote."""
        return next((account for account in self.accounts if account.default), self.accounts[0])


class Service(Closed):
    """timezone: in which days and months of the service run."""

    timezone: Annotated[str, AfterValidator(_zone)] = "Asia/Shanghai"


class Limits(Closed):
    """What a customer may at most; the meaning of each stands at commands.model.Limits."""

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
    instructions_per_minute: Positive = 30
    help_period: Positive = 600


class Storage(Closed):
    """url: sqlite:///path. key_file: the key for sealed values and digests, made at the first start."""

    url: Annotated[str, AfterValidator(_url)] = "sqlite:///var/fetion.db"
    key_file: Path = Path("var/fetion.key")

    @property
    def path(self) -> Path:
        """The file of the store."""
        return Path(self.url.removeprefix("sqlite:///"))


class Logging(Closed):
    """format auto: console on a terminal, JSON lines otherwise. file null: standard output."""

    format: Literal["auto", "console", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"
    file: Path | None = None
    mask_msisdn: bool = False


class Shutdown(Closed):
    """deadline: seconds in which everything has stopped."""

    deadline: Seconds = 10


class Settings(Closed):
    """The whole configuration. Frozen; made by load()."""

    smpp: Smpp = Smpp()
    service: Service = Service()
    limits: Limits = Limits()
    storage: Storage = Storage()
    logging: Logging = Logging()
    shutdown: Shutdown = Shutdown()


Check = Callable[[Located[Settings]], Iterable[Fault]]


def _nothing_else(_settings: Located[Settings]) -> Iterable[Fault]:
    return ()


def load(path: Path | None, environ: Mapping[str, str], also: Check = _nothing_else) -> Settings:
    """The configuration of a file (None: the defaults) with the environment over it.

    also: checks that the schema cannot make, on settings that are in order so far. Relative paths become
    relative to the file (without a file: to the working directory).
    Raises TableError with every fault; a fault of a variable names the variable.
    """
    located: Located[Any] = Located({}, EMBEDDED, {}) if path is None else read(path)
    variables = _Variables(environ, {} if located.value is None else located.value)
    merged = Located(variables.data, located.file, located.lines, located.faults)
    try:
        settings = merged.into(Settings)
        faults = [*variables.faults, *_across(settings), *also(settings)]
    except TableError as error:
        faults = [*variables.faults, *error.faults]
    if faults:
        raise TableError(map(variables.named, faults))
    return _anchored(settings.value, path.parent if path else Path())


class _Variables:
    """The environment laid over the data of the file, remembering what came from where."""

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
        """The fault as it is, or with the variable that it comes from."""
        for key in sorted(self._names, key=len, reverse=True):
            if fault.key == key:
                return Fault(ENVIRONMENT, 0, self._names[key], fault.reason)
            if fault.key.startswith((f"{key}.", f"{key}[")):
                return Fault(ENVIRONMENT, 0, self._names[key], f"{fault.key}: {fault.reason}")
        return fault

    def _set(self, name: str, path: KeyPath, value: object) -> None:
        """Put a value in its place, making what is missing above it. Raises ValueError where none is."""
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
    """What a variable that reaches below a missing value begins with."""
    return [dict(SHIPPED_ACCOUNT)] if path == ("smpp", "accounts") else {}


def _wants_text(model: type[BaseModel], path: KeyPath) -> bool:
    """Whether the schema has text at `path`, so that a variable is taken as it stands."""
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
    """Faults between values that are each in order."""
    smpp = located.value.smpp
    if not smpp.accounts:
        yield located.fault(("smpp", "accounts"), "must have at least one account")
    seen: dict[str, int] = {}
    exposed = not _is_loopback(smpp.listen.host)
    for position, account in enumerate(smpp.accounts):
        row: KeyPath = ("smpp", "accounts", position)
        if not account.modes:
            yield located.fault((*row, "modes"), "must have at least one mode")
        first = seen.setdefault(account.system_id, position)
        if first != position:
            yield located.fault((*row, "system_id"), f"the same as that of smpp.accounts[{first}]")
        if exposed and account.password == SHIPPED_ACCOUNT["password"]:
            yield located.fault(
                (*row, "password"), "the shipped password is refused where smpp.listen.host is not loopback"
            )
    defaults = sum(account.default for account in smpp.accounts)
    if defaults != 1 and len(smpp.accounts) > 1:
        reason = f"exactly one account must have default: true, not {defaults or 'none'}"
        yield located.fault(("smpp", "accounts"), reason)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _anchored(settings: Settings, base: Path) -> Settings:
    """The settings with their relative paths below `base`."""
    storage, logging = settings.storage, settings.logging
    paths = {"url": f"sqlite:///{base / storage.path}", "key_file": base / storage.key_file}
    file = base / logging.file if logging.file else None
    return settings.model_copy(
        update={
            "storage": storage.model_copy(update=paths),
            "logging": logging.model_copy(update={"file": file}),
        }
    )
