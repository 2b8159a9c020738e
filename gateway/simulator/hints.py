"""How this program is called from here: for the commands that it prints to be copied."""

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Final

NAME: Final = "fetion-gateway"


def command() -> str:
    """The words that start this installation in a shell, from the present folder."""
    script = Path(sys.executable).with_name(NAME)
    if not script.exists():
        return f"{shlex.quote(_short(Path(sys.executable)))} -m gateway"
    found = shutil.which(NAME)
    if found is not None and os.path.samefile(found, script):
        return NAME
    return shlex.quote(_short(script))


def as_called_here(text: str) -> str:
    """A message, with the commands of this program in it as they can be copied."""
    return text.replace(f"{NAME} ", f"{command()} ")


def start() -> str:
    """What to do where no gateway listens."""
    return f"start the gateway: {command()} serve, or make run; or say where it listens: --port, --config"


def tracing(config: Path | None) -> str:
    """The command that shows what became of an SMS, without its message id."""
    return (
        f"{command()} trace" if config is None else f"{command()} trace --config {shlex.quote(str(config))}"
    )


def _short(path: Path) -> str:
    """A path from here, if it lies below this folder; else the whole."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
