"""Who may do what at the broker, as files for Mosquitto and EMQX. Pure but for the salts that it is given.

Sources: mosquitto.conf(5) and mosquitto_passwd(1) of Mosquitto 2.0 (`$7$`: PBKDF2 with SHA-512, 101 rounds,
12 octets of salt); docs.emqx.com of EMQX 5, "Use ACL File" and "Import Users" (SHA-256 of salt and password).
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

GATEWAY: Final = "fetion-gateway"
"""The gateway's user where mqtt.url names none."""
ROUNDS: Final = 101
SALT: Final = 12
KEY: Final = 64

Salt = Callable[[int], bytes]
"""Gives so many random octets."""


@dataclass(frozen=True, slots=True)
class User:
    """A user of the broker. publishes, subscribes: topics."""

    name: str
    publishes: Sequence[str]
    subscribes: Sequence[str]


def users(gateway: str, provinces: Iterable[str]) -> list[User]:
    """The gateway and the system of each province (codes)."""
    ours = User(
        gateway,
        (
            "fetion/events/#",
            "fetion/nodes/+/state",
            "fetion/links/+/state",
            "fetion/nodes/+/mt",
            "fetion/province/+/mo",
            "fetion/province/+/mt/refused",
        ),
        ("fetion/province/+/mt", "fetion/nodes/+/mt"),
    )
    return [ours, *map(province, provinces)]


def province(code: str) -> User:
    """The system of a province."""
    below = f"fetion/province/{code}"
    return User(f"province-{code}", (f"{below}/mt",), (f"{below}/mo", f"{below}/mt/refused"))


def mosquitto_acl(every: Sequence[User]) -> str:
    """Its acl_file."""
    lines = ["# Written by fetion-gateway mqtt acl. Nobody without a line here may do anything."]
    for user in every:
        lines += ["", f"user {user.name}"]
        lines += [f"topic write {topic}" for topic in user.publishes]
        lines += [f"topic read {topic}" for topic in user.subscribes]
    return "\n".join(lines) + "\n"


def mosquitto_passwords(passwords: Mapping[str, str], known: str, salt: Salt) -> str:
    """Its password_file. known: what the file has so far; a line that fits stays as it is."""
    lines = dict(line.partition(":")[::2] for line in known.splitlines() if ":" in line)
    return "".join(
        f"{name}:{lines[name] if fits(password, lines.get(name, '')) else hashed(password, salt(SALT))}\n"
        for name, password in passwords.items()
    )


def hashed(password: str, salt: bytes, rounds: int = ROUNDS) -> str:
    """A password as mosquitto_passwd hashes it."""
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds, KEY)
    return f"$7${rounds}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


def fits(password: str, line: str) -> bool:
    """Whether a hash is one of this password."""
    try:
        empty, kind, rounds, salt, _ = line.split("$")
        made = hashed(password, base64.b64decode(salt), int(rounds))
    except ValueError:
        return False
    return (empty, kind) == ("", "7") and hmac.compare_digest(made, line)


def emqx_acl(every: Sequence[User]) -> str:
    """Its acl.conf."""
    lines = [
        "%% Written by fetion-gateway mqtt acl, for EMQX 5. Set authorization.no_match = deny as well, and",
        "%% authorization.deny_action = ignore.",
    ]
    for user in every:
        for action, topics in (("publish", user.publishes), ("subscribe", user.subscribes)):
            named = ", ".join(f'"{topic}"' for topic in topics)
            lines.append(f'{{allow, {{username, "{user.name}"}}, {action}, [{named}]}}.')
    return "\n".join([*lines, "{deny, all}."]) + "\n"


def emqx_users(passwords: Mapping[str, str], salt: Salt) -> str:
    """The CSV that its built-in database imports: password_hash_algorithm sha256, salt_position prefix."""
    lines = ["user_id,password_hash,salt,is_superuser"]
    for name, password in passwords.items():
        grain = salt(16).hex()
        made = hashlib.sha256((grain + password).encode()).hexdigest()
        lines.append(f"{name},{made},{grain},false")
    return "\n".join(lines) + "\n"


def read_credentials(text: str) -> dict[str, str]:
    """What credentials() has written: user -> password."""
    pairs = (line.split(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {pair[0]: pair[1] for pair in pairs if len(pair) > 1}


def credentials(passwords: Mapping[str, str]) -> str:
    """The passwords in clear, for whoever hands them out."""
    lines = [
        "# user password. Written by fetion-gateway mqtt acl, which keeps what is here: give each its own"
    ]
    return "\n".join([*lines, *(f"{name} {password}" for name, password in passwords.items())]) + "\n"


FILES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {"mosquitto": ("mosquitto.acl", "mosquitto.passwd"), "emqx": ("acl.conf", "emqx-users.csv")}
)
"""Broker -> names of the files with rights and with passwords."""
CREDENTIALS: Final = "credentials"
"""The file with the passwords in clear."""
