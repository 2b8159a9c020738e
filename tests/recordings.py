"""Records the demo in real terminals: docs/recordings, written by `make recordings`.

What differs from run to run is seeded (Fetion numbers, passwords), or replaced: the port by the default one,
the temporary folder by one with a name that never changes.
"""

import html
import inspect
import io
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from gateway.simulator.handset import SHIPPED
from tests.ports import free_port
from tests.terminal import CTRL_C, Terminal

FOLDER: Final = Path(__file__).parent.parent / "docs" / "recordings"
SEED: Final = "1"
PLACE: Final = "/tmp/fetion-demo-k3x8q1vw"  # noqa: S108 - nothing is written there

_READY: Final = "to be another handset\n"
_CHAR_WIDTH: Final = 12.2  # of rich's SVG: 61 % of a height of 20
_TEXT: Final = re.compile(
    r' x="([\d.]+)"( y="[\d.]+") textLength="[\d.]+"( clip-path="[^"]*")>((?:&#160;)*)([^<]*)<'
)
_FONTS: Final = re.compile(r"    @font-face \{\{.*?\}\}\n", re.DOTALL)

# Its own background, so that it can be read on a light page and on a dark one.
_THEME: Final = TerminalTheme(
    (22, 27, 34),
    (230, 237, 243),
    [
        *((48, 54, 61), (255, 123, 114), (126, 231, 135), (240, 196, 25)),
        *((121, 192, 255), (210, 168, 255), (86, 212, 221), (177, 186, 196)),
    ],
)


@dataclass(frozen=True, slots=True)
class Recording:
    """A run in a terminal. ready: the end of the last SMS, and how often it is shown until then."""

    columns: int
    locale: str
    ready: tuple[str, int]
    colours: bool = False


ENGLISH: Final = ("instructions.\n", 4)
CHINESE: Final = ("指令。\n", 3)

TEXTS: Final = {
    "run-80.txt": Recording(80, "C.UTF-8", ENGLISH),
    "run-120.txt": Recording(120, "C.UTF-8", ENGLISH),
    "run-80-zh.txt": Recording(80, "zh_CN.UTF-8", CHINESE),
    "run-120-zh.txt": Recording(120, "zh_CN.UTF-8", CHINESE),
}
PICTURE: Final = "demo.svg"
PICTURED: Final = Recording(110, "C.UTF-8", ("instructions.\x1b[0m\n", 3), colours=True)


def record(recording: Recording) -> str:
    """Run the demo, be a handset that opens Fetion, press Ctrl-C. Returns what the terminal got."""
    port = free_port()
    environment = Path(sys.executable).parents[1]
    command = [sys.executable, "-m", "gateway", "demo", "--seed", SEED]
    with tempfile.TemporaryDirectory(prefix="r") as folder:
        environ = {
            "LC_ALL": recording.locale,
            "NO_COLOR": "" if recording.colours else "1",
            "FETION__SMPP__LISTEN__PORT": str(port),
            "FETION__CONSOLE__LISTEN": "null",  # its password differs from run to run
            "TMPDIR": folder,
            "PATH": "",  # the command is named by its path then
        }
        with Terminal(command, recording.columns, environ, environment.parent) as terminal:
            terminal.until(_READY)
            terminal.type("KTFX\n")
            terminal.until(*recording.ready)
            terminal.type(CTRL_C)
            code = terminal.end()
            if code != 0:
                raise AssertionError(f"the demo ended with {code}:\n{terminal.text}")
            text = re.sub(re.escape(folder) + r"/fetion-demo-\w{8}", PLACE, terminal.text)
    text = text.replace(f":{port} ", f":{SHIPPED.port} ")
    return text.replace(f"{environment.name}/bin/", ".venv/bin/")


def picture(shown: str, columns: int) -> str:
    """What a terminal got, as SVG."""
    console = Console(
        record=True, width=columns, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(Text.from_ansi(shown), overflow="fold")
    shipped = inspect.signature(Console.export_svg).parameters["code_format"].default
    template = _FONTS.sub("", shipped).replace(
        "font-family: Fira Code, monospace", "font-family: ui-monospace, Menlo, Consolas, monospace"
    )
    svg = console.export_svg(title="make run", theme=_THEME, code_format=template, unique_id="demo")
    return _TEXT.sub(_with_its_width, svg)


def _with_its_width(text: re.Match[str]) -> str:
    """rich counts characters, and a Chinese one takes two columns. Blanks in front become a place: a browser
    whose Chinese font is narrower would spread them."""
    start, y, clip, blanks, shown = text.groups()
    left = float(start) + blanks.count(";") * _CHAR_WIDTH
    width = cell_len(html.unescape(shown)) * _CHAR_WIDTH
    return f' x="{left:g}"{y} textLength="{width:g}"{clip}>{shown}<'


def recorded() -> dict[str, str]:
    """File name -> what is to stand in it, from fresh runs."""
    files = {name: record(recording) for name, recording in TEXTS.items()}
    return files | {PICTURE: picture(record(PICTURED), PICTURED.columns)}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, content in recorded().items():
        (FOLDER / name).write_text(content, "utf-8")
    sys.stdout.write(f"written: {FOLDER}\n")
