"""What a test of somebody else shows when it fails: his line, the conversation, the log; no frame of ours."""

import re
import socket
import tempfile
from collections.abc import Sequence

import pytest

pytest_plugins = ("pytester",)

HEAD = """
import pytest

pytestmark = pytest.mark.asyncio
"""
MISSED = """
async def test_missed(handset):
    alice = await handset("13800138000")
    await alice.send("KTFX", to="161")
    await alice.expect("never", within=0.05)
"""
UNWANTED = """
async def test_unwanted(handset):
    alice = await handset("13800138000")
    await alice.send("KTFX", to="161")
    await alice.expect_nothing()
"""
REFUSED = """
async def test_refused(handset):
    alice = await handset("13800138000")
    await alice.send("KTFX", to="161")
    await alice.expect()
    await alice.send("hi", to="99999")
"""
NO_MOBILE = """
async def test_no_mobile(handset):
    alice = await handset("13800138000")
    await alice.send("KTFX", to="161")
    await alice.expect()
    await handset("138")
"""
FRAME = re.compile(r"^\S+\.py:\d+: ", re.MULTILINE)
"""How a traceback of pytest ends each of its frames."""


def run(pytester: pytest.Pytester, *options: str) -> str:
    """What pytest prints about the tests of this folder, in a process of its own."""
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    quiet = ("-p", "no:cacheprovider", "-p", "no:randomly")
    with tempfile.TemporaryDirectory() as short:  # pytester's own is too long for a control socket
        result = pytester.runpytest_subprocess(*quiet, f"--basetemp={short}/t", *options)
    return str(result.stdout) + str(result.stderr)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (MISSED, "MissedError: 13800138000 expected"),
        (UNWANTED, "UnexpectedError: 13800138000 expected not"),
        (REFUSED, "SubmitRefusedError: SMS to 99999 refused: ESME_RINVDSTADR"),
        (NO_MOBILE, "ValueError: '138' is no mobile number of 11 digits"),
    ],
)
def test_a_missed_expectation(source: str, error: str, pytester: pytest.Pytester) -> None:
    """One frame, that of the test, with the expectation and what came instead; then both sections."""
    pytester.makepyfile(HEAD + source)
    said = run(pytester)
    assert "1 failed" in said
    assert error in said
    assert len(FRAME.findall(said)) == 1
    assert "gateway/simulator/handset.py" not in said
    conversation, log = said.split("- conversation -")[1].split("- log of the gateway -")
    assert re.search(r"13800138000 -> 161 +KTFX", conversation)
    assert re.search(r"161034 -> 13800138000 +欢迎", conversation)
    assert '"event":"sms.handled"' in log
    assert '"event":"sms.sent"' in log


def test_it_is_an_assertion(pytester: pytest.Pytester) -> None:
    """Whoever expects a test of his to fail expects an AssertionError."""
    source = MISSED.replace("async def", "@pytest.mark.xfail(raises=AssertionError, strict=True)\nasync def")
    pytester.makepyfile(HEAD + source)
    assert "1 xfailed" in run(pytester)


def test_any_failure_shows_the_conversation(pytester: pytest.Pytester) -> None:
    """A plain assert of the test, too; a test that passes shows nothing."""
    source = MISSED.replace('await alice.expect("never", within=0.05)', "assert 1 == 2")
    pytester.makepyfile(HEAD + source + source.replace("test_missed", "test_good").replace("1 == 2", "True"))
    said = run(pytester, "-rA")
    assert "1 failed, 1 passed" in said
    assert said.count("- conversation -") == 1
    assert said.count("- log of the gateway -") == 1


def test_a_long_conversation_is_cut(pytester: pytest.Pytester) -> None:
    """Sections show their last 200 lines, and say so."""
    source = """
    @pytest.fixture
    def gateway_config():
        return {"limits": {"instructions_per_minute": 0, "same_text": 0}}

    async def test_long(handset):
        alice = await handset("13800138000")
        for _ in range(150):
            await alice.send("KTFX", to="161")
            await alice.expect()
        assert not "the end"
    """
    pytester.makepyfile(HEAD + "\n".join(line[4:] for line in source.splitlines()))
    said = run(pytester)
    assert "- conversation (the last 200 of 300 lines) -" in said


WRONG: Sequence[tuple[str, str]] = (
    ('{"limits": {"help_perod": 3}}', "limits.help_perod: unknown key; did you mean 'help_period'?"),
    (
        '{"limits": {"buddies": 0, "list_hours": "x"}}',
        "limits.buddies: must be above 0; limits.list_hours: ",
    ),
    ('{"limits": 5}', "limits: must be a mapping"),
    ('["limits"]', "must be a mapping of sections, is a list"),
    ("None", "must be a mapping of sections, is a NoneType"),
    ('{"storage": {"key_file": object()}}', "holds a object, which a configuration file cannot"),
)


def errors(said: str) -> list[list[str]]:
    """What pytest prints below the heading of each error at setup."""
    bodies = re.split(r"^_+ ERROR at setup of .*$", said.split("short test summary")[0], flags=re.MULTILINE)
    return [[line for line in body.splitlines() if line.strip("= ")] for body in bodies[1:]]


def configured(number: int, config: str) -> str:
    """The source of a test whose gateway_config returns this."""
    return f"""
class Test{number}:
    @pytest.fixture
    def gateway_config(self):
        return {config}

    async def test_it(self, gateway):
        assert gateway
"""


def test_a_wrong_configuration_is_one_line(pytester: pytest.Pytester) -> None:
    """The fault of gateway_config stands alone, on one line and without a traceback."""
    sources = [configured(number, config) for number, (config, _) in enumerate(WRONG)]
    pytester.makepyfile(HEAD + "".join(sources))
    found = errors(run(pytester))
    assert len(found) == len(WRONG)
    for body, (_, reason) in zip(found, WRONG, strict=True):
        assert len(body) == 1, body
        assert body[0].startswith("gateway_config: ")
        assert reason in body[0]


def test_a_folder_whose_path_is_too_long_is_one_line(pytester: pytest.Pytester) -> None:
    """The remedy is an option of pytest there."""
    pytester.makepyfile(HEAD + MISSED)
    said = run(pytester, f"--basetemp={pytester.path / ('long' * 20)}")
    assert "too long for a control socket: give pytest a shorter --basetemp" in said


def test_a_port_in_use_is_one_line(pytester: pytest.Pytester) -> None:
    """So is whatever else keeps the gateway from starting."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = {"smpp": {"listen": {"port": taken.getsockname()[1]}}}
        pytester.makepyfile(HEAD + configured(0, repr(config)))
        found = errors(run(pytester))
    assert len(found) == 1
    assert len(found[0]) == 1, found
    assert found[0][0].startswith("the gateway does not start: ")
    assert "in use" in found[0][0]
