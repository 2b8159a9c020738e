"""Certificates for tests: an authority, and certificates that it signs, as PEM files."""

import datetime
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """The files of one certificate."""

    cert: Path
    key: Path

    def copy_to(self, other: "Pair") -> None:
        """Replace the files of another one."""
        other.cert.write_bytes(self.cert.read_bytes())
        other.key.write_bytes(self.key.read_bytes())


def name(common: str) -> x509.Name:
    """A name with nothing but a common name; none at all for ""."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)] if common else [])


class Authority:
    """Signs certificates, whose files it writes into its folder. file: its own certificate."""

    def __init__(self, folder: Path, common: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = name(common)
        self.file = folder / f"{common}.pem"
        own = self._builder(self._name, self._key.public_key(), -1, 3650)
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        signed = own.add_extension(constraints, critical=True).sign(self._key, SHA256())
        self.file.write_bytes(signed.public_bytes(Encoding.PEM))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, first: float, last: float
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + first * DAY)
            .not_valid_after(now + last * DAY)
        )

    def sign(
        self,
        common: str,
        *,
        days: float = 365,
        password: bytes | None = None,
        valid_for: tuple[str, ...] = ("127.0.0.1", "localhost"),
    ) -> Pair:
        """Make a certificate with its key. days: until its end; password: of its key; valid_for: names."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = []
        for each in valid_for:
            try:
                names.append(x509.IPAddress(ip_address(each)))
            except ValueError:
                names.append(x509.DNSName(each))
        made = (
            self._builder(name(common), key.public_key(), min(-1.0, days - 1), days)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self._key, SHA256())
        )
        pair = Pair(self._folder / f"{common}.cert", self._folder / f"{common}.key")
        pair.cert.write_bytes(made.public_bytes(Encoding.PEM))
        protection = NoEncryption() if password is None else BestAvailableEncryption(password)
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection))
        return pair
