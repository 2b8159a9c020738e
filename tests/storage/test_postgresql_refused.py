"""A server that lets nobody in: each reason with its remedy, the same from `check` and at a start."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from tests.events.certificates import Authority
from tests.postgresql import PASSWORD, Server, missing
from tests.storage.test_postgresql_start import faults_of

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

CLIENTS = 5


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One with TLS, on IPv6 too where the machine has it, for few clients."""
    server = Server(
        "ssl = on",
        "ssl_cert_file = 'server.pem'",
        "ssl_key_file = 'server.key'",
        f"max_connections = {CLIENTS}",
        "superuser_reserved_connections = 0",
        "max_wal_senders = 0",
        "listen_addresses = '127.0.0.1,::1'",
    )
    authority = Authority(server.folder)
    Authority(server.folder, "other")
    for path in authority.sign("server"):
        target = server.data / path.name
        shutil.move(path, target)
        shutil.chown(target, server.data.owner(), server.data.group())
        target.chmod(0o600)
    server.start()
    yield server
    server.remove()


def with_tls(server: Server, authority: str, host: str = "127.0.0.1") -> str:
    """The URL with which the certificate is checked."""
    url = server.url().replace("127.0.0.1", host)
    return f"{url}&sslmode=verify-full&sslrootcert={server.folder / authority}"


def test_a_certificate_that_does_not_fit(server: Server) -> None:
    """Another authority, another name of the host, no file of an authority: what is wrong, and what to do."""
    [fault] = faults_of(with_tls(server, "other.pem"))
    assert "certificate verify failed: sslrootcert must name the authority" in fault
    [fault] = faults_of(with_tls(server, "ca.pem", "localhost"))
    assert 'does not match host name "localhost"' in fault
    assert fault.endswith("name the server in storage.url as its certificate does")
    [fault] = faults_of(with_tls(server, "none.pem"))
    assert "sslrootcert of storage.url must name a file that this user may read" in fault
    assert PASSWORD not in fault
    with psycopg.connect(with_tls(server, "ca.pem")) as db:
        assert db.pgconn.ssl_in_use


def test_a_reason_is_said_once(server: Server) -> None:
    """libpq tries with TLS and without: one line, without the password."""
    [fault] = faults_of(server.url(password="geheim"))
    assert fault.count("password authentication failed") == 1
    assert "\n" not in fault
    assert "geheim" not in fault


def test_too_many_clients(server: Server) -> None:
    """A server, or a user, that has all its connections."""
    with ExitStack() as others:
        for _ in range(CLIENTS):
            others.enter_context(psycopg.connect(server.url()))
        [fault] = faults_of(server.url())
    assert "too many clients already: close other connections, or raise max_connections" in fault
    server.execute("CREATE ROLE busy LOGIN PASSWORD 'geheim' CONNECTION LIMIT 0")
    [fault] = faults_of(server.url().replace(f"fetion:{PASSWORD}", "busy:geheim"))
    assert 'too many connections for role "busy": close other connections' in fault
    assert "geheim" not in fault


def test_an_address_of_ipv6(server: Server) -> None:
    """It stands in brackets, in the URL and in what is said."""
    url = server.url(password="geheim").replace("127.0.0.1", "[::1]")
    [fault] = faults_of(url)
    assert fault.startswith(f"postgresql://fetion@[::1]:{server.port}/postgres (")
    assert "geheim" not in fault
