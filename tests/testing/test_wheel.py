"""A real wheel in a fresh environment: what somebody else installs."""

import importlib.util
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "testing.md"
PARTS = ("gateway", "commands", "routing", "pytest_fetion_gateway.py")
"""What the distribution puts at the top level."""
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources, because building writes among them."""
    folder = tmp_path_factory.mktemp("wheel")
    source, dist = folder / "source", folder / "dist"
    source.mkdir()
    dist.mkdir()
    for name in PARTS[:3]:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (PARTS[3], "pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    words = [sys.executable, "-c", BUILD, str(dist)]
    done = subprocess.run(words, cwd=source, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = dist.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it; its dependencies are those of this one, not from an index."""
    if importlib.util.find_spec("ensurepip") is None:
        pytest.skip("a fresh environment needs ensurepip: install python3-venv")
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", str(wheel))
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    theirs = Path(run(python, "-c", ask).strip())
    (theirs / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return folder


def run(*words: str | Path, cwd: Path | None = None) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(
        list(map(str, words)), cwd=cwd, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_top_level_names(wheel: Path) -> None:
    """The wheel has the four names that the guide tells, and no other."""
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == set(PARTS)
    told = GUIDE.read_text("utf-8").split("four names at the top level")[1].split(".")[0]
    assert re.findall(r"`(\w+)`", told) == [name.removesuffix(".py") for name in PARTS]


@pytest.mark.long
def test_its_commands_work(environment: Path, tmp_path: Path) -> None:
    """The program is there, and finds its tables in the wheel."""
    program = environment / "bin" / "fetion-gateway"
    place = run(environment / "bin" / "python", "-c", "import gateway; print(gateway.__file__)", cwd=tmp_path)
    assert Path(place.strip()).is_relative_to(environment)
    assert run(program, "--version", cwd=tmp_path).startswith("fetion-gateway ")
    assert "no faults" in run(program, "check", cwd=tmp_path)
    assert "service.open" in run(program, "explain", "text", "KTFX", "--to", "161", cwd=tmp_path)
    assert "--new-key" in run(program, "completion", "bash", cwd=tmp_path)


@pytest.mark.long
def test_its_plugin_works(environment: Path, tmp_path: Path) -> None:
    """The example of the guide passes with the plugin of the wheel."""
    [example] = re.findall(r"```python\n(# test_\w+\.py\n.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    (tmp_path / "test_buddies.py").write_text(example, "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    words = ("-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly")
    said = run(environment / "bin" / "python", *words, cwd=tmp_path)
    assert "2 passed" in said
