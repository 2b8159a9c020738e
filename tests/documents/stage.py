"""A fresh folder in which the commands of a document run: with what they name, beside a running gateway."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.ports import free_port

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 60.0
"""Seconds that a command may take."""

_SHIM: Final = """\
#!/bin/sh
exec "{python}" -m gateway "$@"
"""
_COUNT: Final = re.compile(r"--count \d+")
_FEW: Final = "--count 400"
"""A load of a document is shown at full size, and run with so many messages."""


class Stage:
    """A folder with `.venv/bin`, config.yaml and the files that examples name, and its free ports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.console = free_port(), free_port()
        programs = folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        _program(programs / "fetion-gateway", _SHIM.format(python=sys.executable))
        _program(programs / "python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        shutil.copy(ROOT / "config.yaml", folder)
        shutil.copy(ROOT / "tests" / "scenarios" / "open_and_ask.yaml", folder / "open.yaml")
        ported = "msisdn,province_code,operator\n13900000001,200,other\n"
        (folder / "ported-list.csv").write_text(ported, "utf-8")
        shutil.copytree(
            ROOT / "commands",
            folder / "new-tables",
            ignore=shutil.ignore_patterns("*.py*", "handlers", "__pycache__"),
        )

    @property
    def environ(self) -> Mapping[str, str]:
        """The variables of its commands."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FETION__")}
        path = f"{self.folder / '.venv' / 'bin'}{os.pathsep}{kept.get('PATH', '')}"
        ports = {"SMPP": self.port, "CONSOLE": self.console}
        return kept | {"PATH": path} | {f"FETION__{k}__LISTEN__PORT": str(port) for k, port in ports.items()}

    @contextlib.contextmanager
    def gateway(self) -> Iterator[None]:
        """Run a gateway that has handled one SMS: 0000000100000002 of its log, answered by ...03.

        Its log is var/fetion.log.
        """
        log = self.folder / "var" / "fetion.log"
        log.parent.mkdir()
        log.touch()
        gateway = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve", "--config", "config.yaml"],
            cwd=self.folder,
            env={**self.environ, "FETION__LOGGING__FILE": str(log), "FETION__LOGGING__FORMAT": "json"},
        )
        try:
            _wait(lambda: b"gateway.ready" in log.read_bytes() or gateway.poll() is not None)
            self.run("fetion-gateway handset send --from 13800138000 --to 161 KTFX")
            yield
        finally:
            gateway.terminate()
            gateway.wait(PATIENCE)

    def run(self, line: str) -> tuple[int, str]:
        """Run a command line to its end. Returns exit code and output."""
        done = subprocess.run(
            ["/usr/bin/env", "bash", "-c", _COUNT.sub(_FEW, line)],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=PATIENCE,
        )
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def run_until_it_speaks(self, line: str) -> tuple[int, str]:
        """Run a command line that ends only with Ctrl-C, and end it so when it has printed something.

        Returns exit code and output.
        """
        output = self.folder / "output"
        with output.open("wb") as out:
            process = subprocess.Popen(
                ["/usr/bin/env", "bash", "-c", f"trap - INT; exec {line}"],
                cwd=self.folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            _wait(lambda: output.stat().st_size > 0 or process.poll() is not None)
            process.send_signal(signal.SIGINT)
            code = process.wait(PATIENCE)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        return code, output.read_text("utf-8", "replace")


def _program(path: Path, content: str) -> None:
    path.write_text(content, "utf-8")
    path.chmod(0o755)


def _wait(condition: Callable[[], bool]) -> None:
    """Wait for a condition, or for PATIENCE seconds."""
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
