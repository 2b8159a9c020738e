"""The pytest plugin, as its users meet it: in a folder of their own, in a process of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "testing.md"


LOOP_SCOPE = "asyncio_default_fixture_loop_scope = function\n"


def run_pytest(folder: Path, *options: str, ini: str = LOOP_SCOPE) -> str:
    """What pytest says about the tests in a folder, with warnings as errors."""
    (folder / "pytest.ini").write_text(f"[pytest]\n{ini}")
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", *options]
    # Where CI is set pytest says every failure twice at full length.
    environ = {name: value for name, value in os.environ.items() if name not in {"CI", "BUILD_NUMBER"}}
    done = subprocess.run(
        words, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_the_examples_of_the_guide(mode: str, tmp_path: Path) -> None:
    """The test files in docs/testing.md pass as they stand there, in both modes of pytest-asyncio."""
    examples = re.findall(r"```python\n# (test_\w+\.py)\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    for name, example in examples:
        (tmp_path / name).write_text(example, "utf-8")
    assert [name for name, _ in examples] == ["test_buddies.py", "test_link.py"]
    assert "3 passed" in run_pytest(tmp_path, f"--asyncio-mode={mode}")


def test_who_does_not_use_it_does_not_pay(tmp_path: Path) -> None:
    """Tests that use no fixture of it run without anything of the gateway being imported."""
    (tmp_path / "test_other.py").write_text(
        "import sys\n"
        "def test_nothing_is_loaded(pytestconfig):\n"
        "    assert pytestconfig.pluginmanager.has_plugin('fetion_gateway')\n"
        "    assert not {'gateway', 'commands', 'routing', 'pydantic'} & set(sys.modules)\n"
    )
    assert "1 passed" in run_pytest(tmp_path)


@pytest.mark.parametrize("options", [("-p", "no:asyncio"), ("-p", "no:asyncio", "-W", "error")])
def test_without_pytest_asyncio(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Without pytest-asyncio other tests run, and one that wants a gateway fails with what is missing."""
    (tmp_path / "test_both.py").write_text(
        "import sys\n\n"
        "def test_other():\n    assert 'pytest_asyncio' not in sys.modules\n\n"
        "def test_gateway(gateway):\n    gateway.account\n\n"
        "def test_handset(handset):\n    handset('13800138000')\n"
    )
    told = run_pytest(tmp_path, *options, ini="")
    assert "1 passed, 2 errors" in told
    assert "pip install 'fetion-gateway[testing]'" in told


USERS_TEST = """
import gateway, commands, routing

def test_of_the_users_project():
    assert gateway.MINE and commands.MINE and routing.MINE
"""
ASKING = """
import pytest

@pytest.mark.asyncio
async def test_that_wants_a_gateway(gateway):
    pass

@pytest.mark.asyncio
async def test_that_wants_a_handset(handset):
    pass
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of somebody else, with packages that are named like ours."""
    for name in ("gateway", "commands", "routing"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("MINE = True\n")
    (tmp_path / "test_theirs.py").write_text(USERS_TEST)
    return tmp_path


def test_a_project_with_a_package_named_like_ours(project: Path) -> None:
    """Its tests run as if we were not there."""
    told = run_pytest(project)
    assert "1 passed" in told
    assert "rror" not in told


def test_a_collision_is_named_where_a_gateway_is_wanted(project: Path) -> None:
    """Only tests that ask for a gateway fail: with the file that was found, and what to do."""
    (project / "test_asking.py").write_text(ASKING)
    told = run_pytest(project)
    assert "1 passed, 2 errors" in told
    for name in ("gateway", "commands", "routing"):
        assert f"`import {name}` finds {project / name / '__init__.py'}" in told
    assert "from a folder in which yours is not found" in told
    assert "ImportError" not in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("path", "content"),
    [("gateway.py", ""), ("gateway/__init__.py", ""), ("routing/__init__.py", ""), ("commands/mine.py", "")],
)
def test_every_kind_of_collision(tmp_path: Path, path: str, content: str) -> None:
    """A module, a package, one that only our packages import, a folder without __init__.py."""
    place = tmp_path / path
    place.parent.mkdir(exist_ok=True)
    place.write_text(content)
    (tmp_path / "test_asking.py").write_text(ASKING)
    told = run_pytest(tmp_path)
    name = path.removesuffix(".py").split("/")[0]
    if path != "commands/mine.py":
        assert f"`import {name}` finds {place}" in told
        assert told.count("fetion-gateway needs its own package") == 2
    else:  # a regular package wins, unless ours is an editable install, which is asked last
        assert f"`import {name}` finds {place.parent}" in told or "2 passed" in told
    assert "ImportError" not in told


def test_a_module_that_says_not_where_it_is_from(tmp_path: Path) -> None:
    """Something that a test put into sys.modules by hand collides too."""
    (tmp_path / "conftest.py").write_text(
        "import sys, types\nsys.modules['gateway'] = types.ModuleType('gateway')\n"
    )
    (tmp_path / "test_asking.py").write_text(ASKING)
    told = run_pytest(tmp_path)
    assert "`import gateway` finds None" in told


def test_the_remedy_works(project: Path) -> None:
    """From a folder of their own, tests of that project talk to a gateway."""
    folder = project / "handset_tests"
    folder.mkdir()
    (folder / "test_asking.py").write_text(ASKING)
    assert "2 passed" in run_pytest(folder)


def test_a_project_has_fixtures_of_these_names(tmp_path: Path) -> None:
    """Its own fixture `gateway` wins."""
    (tmp_path / "test_own.py").write_text(
        "import pytest\n\n@pytest.fixture\ndef gateway():\n    return 7\n\n"
        "def test_own(gateway):\n    assert gateway == 7\n"
    )
    assert "1 passed" in run_pytest(tmp_path)
