"""`demo` in a real terminal: the live window, its hints, its end."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.simulator.layout import columns
from tests.ports import free_port
from tests.terminal import CTRL_C, CTRL_D, CTRL_S, Terminal

DEMO = (sys.executable, "-m", "gateway", "demo")
ENGLISH = {"LC_ALL": "C.UTF-8", "NO_COLOR": ""}
READY = "/as MSISDN"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A temporary folder of the test's own, with a short path: a control socket will stand in it."""
    with tempfile.TemporaryDirectory(prefix="d") as path:
        yield Path(path)


@pytest.fixture
def environ(folder: Path) -> dict[str, str]:
    """A free port, and that folder."""
    return ENGLISH | {"FETION__SMPP__LISTEN__PORT": str(free_port()), "TMPDIR": str(folder)}


@contextmanager
def demo(environ: Mapping[str, str], width: int = 120, *options: str) -> Iterator[Terminal]:
    """A demo that is live."""
    with Terminal([*DEMO, *options], width, environ) as terminal:
        terminal.until(READY)
        yield terminal


def run_hint(hint: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command that the demo printed, as a shell would."""
    return subprocess.run(
        ["/bin/sh", "-c", hint], capture_output=True, text=True, env=os.environ | dict(environ), timeout=30
    )


def test_the_reader_is_a_handset(environ: dict[str, str], folder: Path) -> None:
    """A typed text goes out and is answered in the same window; /as makes another handset of the reader;
    Ctrl-C ends it with 0, and nothing is left behind."""
    with demo(environ) as terminal:
        assert "you 13700137000 -> " not in terminal.text
        terminal.type("KTFX\n")
        shown = terminal.until("Welcome to Fetion!", 3)
        assert re.search(r"you 13700137000\S* -> \S*161 ", plain(shown))
        terminal.type("/as 13900139000\n12520 CXFX\n")
        terminal.until("Your Fetion is open.", 3)
        terminal.type("/what\n")
        terminal.until("unknown command /what")
        terminal.until(READY, 2)
        terminal.type("999 x\n")
        terminal.until("explain route 999 says why")
        terminal.type(CTRL_C)
        assert terminal.end() == 0
        assert plain(terminal.text).rstrip().endswith("stopping")
    assert list(folder.iterdir()) == []


def test_why_nothing_is_answered(environ: dict[str, str]) -> None:
    """Under an SMS that gets no reply stands why: of a typed one, and of one of another terminal."""
    reason = [
        "  no reply: the same help was sent less than limits.help_period (600 s) ago, or",
        "  ten other ones were",
    ]
    with demo(environ, 80) as terminal:
        terminal.type("BZ\n")
        terminal.until("The instructions of Fetion")
        assert "no reply" not in plain(terminal.text)
        terminal.type("help\n")
        terminal.until("ten other ones were\n")
        assert plain(terminal.text).splitlines()[-2:] == reason
        (hint,) = re.findall(r"^  (\S*fetion-gateway handset .*) --to", plain(terminal.text), re.MULTILINE)
        for code in (0, 1):
            assert run_hint(f"{hint} --to 161 BZ --wait 1", environ).returncode == code
        terminal.until("ten other ones were", 2)


def test_every_hint_works(environ: dict[str, str]) -> None:
    """Each command that the window prints works as it stands; what `handset send` leads to is shown in the
    window, and the command that it prints in turn works too."""
    with demo(environ) as terminal:
        hints = re.findall(r"^  (\S*fetion-gateway .*)$", plain(terminal.text), re.MULTILINE)
        assert [hint.split()[1] for hint in hints] == ["handset", "trace"]
        sent, traced = (run_hint(hint, environ) for hint in hints)
        assert (sent.returncode, traced.returncode) == (0, 0), sent.stderr + traced.stderr
        assert "飞信" in sent.stdout
        assert "KTFX" in traced.stdout
        terminal.until("Welcome to Fetion!", 3)
        assert re.search(r"13600136000 -> 161 +KTFX", plain(terminal.text))
        (again,) = re.findall(r"message id \w+: (.*)", sent.stdout)
        assert run_hint(again, environ).returncode == 0


def test_a_password_of_another_terminal_stays_masked(environ: dict[str, str]) -> None:
    """The window shows its own handset's password, as a handset would, and masks those of others."""
    with demo(environ) as terminal:
        (hint,) = re.findall(r"^  (\S*fetion-gateway handset .*) --to", plain(terminal.text), re.MULTILINE)
        assert run_hint(f"{hint} --to 161 KTFX", environ).returncode == 0
        shown = run_hint(f"{hint} --to 161 P", environ).stdout
        (password,) = re.findall(r"新密码是(\w+)", shown)
        terminal.until("<masked>", 2)
        assert run_hint(f"{hint} --to 12520050 secret77", environ).returncode == 0
        terminal.until("<masked>", 3)
        terminal.type("KTFX\nP\n")
        terminal.until("Your new Fetion password is")
        assert "secret77" not in terminal.text
        assert password not in terminal.text


def test_who_gets_an_sms_appears(environ: dict[str, str]) -> None:
    """An SMS to a handset that nobody plays is shown too: the centre takes it in."""
    with demo(environ) as terminal:
        terminal.type("/as 13800138000\nYQ#13500135000\n")
        terminal.until("-> 13500135000")


def test_a_long_sms_of_another_terminal_is_shown_once(environ: dict[str, str]) -> None:
    """Whole, not in its parts; and what cannot be shown in a terminal is replaced."""
    with demo(environ, 200) as terminal:
        (hint,) = re.findall(r"^  (\S*fetion-gateway handset .*) --to", plain(terminal.text), re.MULTILINE)
        assert run_hint(f"{hint} --to 161 KTFX", environ).returncode == 0
        long = "字" * 150
        run_hint(f"{hint} --to 1252013800138000 '{long}' --wait 0.1", environ)
        terminal.until("HY#13800138000")  # how the answer to it ends
        assert plain(terminal.text).replace("\n", "").replace(" ", "").count(long) == 1


@pytest.mark.parametrize("width", [40, 80, 99, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(environ: dict[str, str], width: int) -> None:
    """The conversation fits terminals of any width; only commands and addresses may not."""
    with demo(environ, width) as terminal:
        talk = plain(terminal.text).split("The gateway is up")[0].splitlines()
        assert len(talk) > 40
        assert [line for line in talk[1:] if columns(line) > width] == []
        terminal.resize(150)
        terminal.type("BZ\n")
        terminal.until("The instructions of Fetion")
        assert max(columns(line) for line in plain(terminal.text).splitlines()[len(talk) :]) > 100


def test_colours(environ: dict[str, str]) -> None:
    """On a terminal glosses are dimmed; with NO_COLOR, and on one that has no codes, there is none at all."""
    with demo(environ) as terminal:
        assert "\x1b[2mopen Fetion\x1b[0m" in terminal.text
    for plain_one in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        with demo(environ | plain_one) as terminal:
            assert "\x1b" not in terminal.text


@pytest.mark.parametrize(
    ("locale", "options", "glossed"),
    [
        ("zh_CN.UTF-8", (), False),
        ("zh_CN.UTF-8", ("--gloss", "on"), True),
        ("C.UTF-8", (), True),
        ("C.UTF-8", ("--gloss", "off"), False),
    ],
)
def test_gloss(environ: dict[str, str], locale: str, options: tuple[str, ...], glossed: bool) -> None:
    """English stands below the sentences unless the locale is Chinese, or as --gloss says."""
    with Terminal([*DEMO, "--once", *options], 100, environ | {"LC_ALL": locale}) as terminal:
        assert terminal.end() == 0
        assert ("Welcome to Fetion!" in terminal.text) is glossed
        assert "欢迎使用飞信" in terminal.text


def test_a_paused_terminal_stops_nobody(environ: dict[str, str]) -> None:
    """While the terminal is paused, the gateway serves others, and SIGTERM ends the demo in time."""
    with demo(environ) as terminal:
        (hint,) = re.findall(r"^  (\S*fetion-gateway handset .*KTFX)$", plain(terminal.text), re.MULTILINE)
        terminal.type(CTRL_S)
        for _ in range(2):
            assert run_hint(hint, environ).returncode == 0
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(10) == 0


def test_the_end_of_input_ends_nothing(environ: dict[str, str]) -> None:
    """After Ctrl-D the window is still live."""
    with demo(environ) as terminal:
        (hint,) = re.findall(r"^  (\S*fetion-gateway handset .*KTFX)$", plain(terminal.text), re.MULTILINE)
        terminal.type(CTRL_D)
        terminal.until("the keyboard is closed")
        assert run_hint(hint, environ).returncode == 0
        terminal.until("Welcome to Fetion!", 3)
        terminal.type(CTRL_C)
        assert terminal.end() == 0


@pytest.mark.parametrize("stdin", ["<&-", "</dev/null", "<pyproject.toml"])
def test_without_a_terminal(environ: dict[str, str], stdin: str) -> None:
    """Closed, empty or a file: nothing is read from standard input, and the demo stays up until a signal."""
    command = f"exec {sys.executable} -m gateway demo {stdin}"
    with subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environ,
    ) as process:
        assert process.stdout is not None
        shown = ""
        for line in process.stdout:
            shown += line
            if " trace " in line:
                process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert READY not in shown
    assert "you 13700137000" not in shown


def test_in_the_background(environ: dict[str, str]) -> None:
    """A demo that was sent to the background neither stops nor reads what is typed for the shell."""
    shell = f"set -m; {sys.executable} -m gateway demo & read a; echo shell: $a; read a; kill %1; wait"
    with Terminal(["/bin/sh", "-c", shell], 120, environ) as terminal:
        terminal.until(READY)
        (hint,) = re.findall(r"^  (\S*fetion-gateway handset .*KTFX)$", plain(terminal.text), re.MULTILINE)
        terminal.type("BZ\n")
        terminal.until("shell: BZ")
        assert run_hint(hint, environ).returncode == 0
        terminal.type("end\n")
        terminal.end()
        assert "The instructions of Fetion" not in terminal.text


def test_a_temporary_folder_with_a_long_path(environ: dict[str, str], folder: Path) -> None:
    """The remedy is one that a user of the demo has."""
    long = folder / ("x" * 90)
    long.mkdir()
    with Terminal(DEMO, 80, environ | {"TMPDIR": str(long)}) as terminal:
        assert terminal.end() == 1
        assert "TMPDIR=/tmp" in terminal.text


def test_a_killed_demo_leaves_its_folder_to_the_next(environ: dict[str, str], folder: Path) -> None:
    """After kill -9 the folder stays; the next demo removes it, and leaves that of one that lives."""
    with demo(environ) as terminal:
        terminal.process.kill()
        terminal.process.wait()
    (dead,) = folder.iterdir()
    with demo(environ) as terminal:
        (alive,) = folder.iterdir()
        assert alive != dead
        with Terminal([*DEMO, "--once"], 80, environ) as other:
            assert other.end() == 0
        assert alive.exists()
        terminal.type(CTRL_C)
        assert terminal.end() == 0


def plain(text: str) -> str:
    """A text without colours."""
    return re.sub(r"\x1b\[\d+m", "", text)
