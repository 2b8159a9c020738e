"""The pytest plugin, as its users meet it: in a folder of their own, in a process of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / "docs" / "testing.md"


def run_pytest(folder: Path, *options: str) -> str:
    """What pytest says about the tests in a folder, with warnings as errors."""
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *options]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_the_example_of_the_guide(mode: str, tmp_path: Path) -> None:
    """The test file in docs/testing.md passes as it stands there, in both modes of pytest-asyncio."""
    [example] = re.findall(r"```python\n(# test_\w+\.py\n.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    (tmp_path / "test_buddies.py").write_text(example, "utf-8")
    assert "2 passed" in run_pytest(tmp_path, f"--asyncio-mode={mode}")


def test_who_does_not_use_it_does_not_pay(tmp_path: Path) -> None:
    """Tests that use no fixture of it run without anything of the gateway being imported."""
    (tmp_path / "test_other.py").write_text(
        "import sys\n"
        "def test_nothing_is_loaded(pytestconfig):\n"
        "    assert pytestconfig.pluginmanager.has_plugin('fetion_gateway')\n"
        "    assert not {'gateway.app', 'gateway.testing', 'commands', 'pydantic'} & set(sys.modules)\n"
    )
    assert "1 passed" in run_pytest(tmp_path)


def test_without_pytest_asyncio(tmp_path: Path) -> None:
    """Without pytest-asyncio other tests run, and one that wants a gateway fails with what is missing."""
    (tmp_path / "test_both.py").write_text(
        "def test_other():\n    pass\n\ndef test_gateway(gateway):\n    gateway.account\n"
    )
    script = (
        "import importlib.util as u, sys, pytest\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'pytest_asyncio' else find(name, *more)\n"
        "sys.exit(pytest.main(['-p', 'no:asyncio', '-p', 'no:cacheprovider', '-ra']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "1 passed" in done.stdout
    assert "requested an async fixture 'gateway'" in done.stdout
