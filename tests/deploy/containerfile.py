"""Runs the steps of a container file in an empty folder, as far as they need no engine.

What is absolute in the file is below that folder here; nothing is given to another owner, and the image that
a stage begins with is a new virtual environment.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACES = re.compile(r"(?<![\w./-])/(src|wheels|opt|etc|var)(?=/|\s|$)")
"""What a step may name of the file system."""
OWNERS = re.compile(r" -o \d+ -g \d+")


@dataclass(slots=True)
class Built:
    """What a file came to. image: the last stage's root. settings: USER, VOLUME, ENTRYPOINT ... of it."""

    image: Path
    environ: dict[str, str]
    settings: dict[str, str] = field(default_factory=dict)


def steps(file: Path) -> list[tuple[str, str]]:
    """Instruction and rest of each line; comments are left out, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", file.read_text("utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def allowed(name: str) -> bool:
    """Whether the engine would be given this file or folder of the project (Containerfile.dockerignore)."""
    listed = (ROOT / "deploy/Containerfile.dockerignore").read_text("utf-8").split()
    return f"!{name.removeprefix('./').rstrip('/')}" in listed


class Build:
    """Runs a file, stage by stage, below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._base = folder / "base"
        self._stages: dict[str, Path] = {}
        self._root = folder
        self._place = "/"
        self._built = Built(folder, {})

    def run(self, file: Path) -> Built:
        """Run every step. Raises CalledProcessError with the output of the step that fails."""
        subprocess.run([sys.executable, "-m", "venv", str(self._base)], check=True, capture_output=True)
        for instruction, rest in steps(file):
            match instruction:
                case "FROM":
                    self._begin(rest)
                case "ENV":
                    self._set(rest)
                case "WORKDIR":
                    self._place = rest
                    self._below(rest).mkdir(parents=True, exist_ok=True)
                case "COPY":
                    self._copy(rest)
                case "RUN":
                    self._step(rest)
                case _:
                    self._built.settings[instruction] = rest
        return self._built

    def _begin(self, rest: str) -> None:
        name = rest.partition(" AS ")[2] or "last"
        self._root = self._stages[name] = self._folder / name
        self._root.mkdir()
        path = f"{self._base}/bin:{os.environ['PATH']}"
        self._place, self._built = "/", Built(self._root, {"PATH": path})

    def _set(self, rest: str) -> None:
        for pair in rest.split():
            name, _, value = pair.partition("=")
            value = value.replace("$PATH", self._built.environ["PATH"])
            self._built.environ[name] = PLACES.sub(rf"{self._root}/\1", value)

    def _copy(self, rest: str) -> None:
        words = rest.split()
        source = ROOT
        if words[0].startswith("--from="):
            source = self._stages[words.pop(0).removeprefix("--from=")]
        *names, to = words
        target = self._below(to if to.startswith("/") else f"{self._place}/{to}")
        for name in names:
            if source is ROOT:
                assert allowed(name), f"{name}: not in Containerfile.dockerignore"
            found = source / name.lstrip("/")
            into = target / found.name if to.endswith("/") else target
            into.parent.mkdir(parents=True, exist_ok=True)
            if found.is_dir():
                shutil.copytree(found, into, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(found, into)

    def _step(self, rest: str) -> None:
        command = OWNERS.sub("", PLACES.sub(rf"{self._root}/\1", rest))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FETION__")}
        subprocess.run(
            ["/bin/sh", "-ec", command],
            cwd=self._below(self._place),
            env=kept | self._built.environ,
            check=True,
            capture_output=True,
            text=True,
        )

    def _below(self, path: str) -> Path:
        return self._root / path.lstrip("/")
