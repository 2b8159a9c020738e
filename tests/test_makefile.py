"""What `make` prints while it installs: with a `uv` that a test wrote in place of the real one."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAKE = shutil.which("make")

UV = """#!/bin/sh
[ "$1" = --version ] && exit 0
echo "noise of uv"
{conduct}
mkdir -p .venv/bin
printf '#!/bin/sh\\necho "demo $*"\\n' > .venv/bin/fetion-gateway
chmod +x .venv/bin/fetion-gateway
"""

pytestmark = pytest.mark.skipif(MAKE is None, reason="there is no make")


def make_run(folder: Path, conduct: str) -> subprocess.CompletedProcess[str]:
    """`make run ONCE=1` in a folder where `uv` behaves like that."""
    assert MAKE is not None
    tools = folder / "tools"
    tools.mkdir()
    (tools / "uv").write_text(UV.format(conduct=conduct), "utf-8")
    (tools / "uv").chmod(0o755)
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    temporary = folder / "tmp"
    temporary.mkdir()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    environ |= {"PATH": f"{tools}:{os.environ['PATH']}", "TMPDIR": str(temporary)}
    done = subprocess.run(
        [MAKE, "run", "ONCE=1"], cwd=folder, env=environ, capture_output=True, text=True, timeout=60
    )
    assert list(temporary.iterdir()) == []
    return done


def test_one_line_says_what_is_installed(tmp_path: Path) -> None:
    """And how long it takes; the tool itself is not heard."""
    done = make_run(tmp_path, "")
    assert done.returncode == 0
    installing, shown = done.stdout.splitlines()
    assert installing == "Installing the packages of requirements.lock into .venv with uv, once: about 10 s"
    assert shown == "demo demo --once"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("error: Failed to fetch: http://localhost/simple/x/", "No package index is reachable from here"),
        ("ERROR: No matching distribution found for x", "or it lacks a package"),
        ("OSError: [Errno 28] No space left on device", "uv failed, see above; then run make again"),
    ],
)
def test_a_failure_is_shown_with_what_to_check(tmp_path: Path, error: str, advice: str) -> None:
    """All that the tool wrote, then one line; nothing is started."""
    done = make_run(tmp_path, f"echo '{error}' >&2; exit 1")
    assert done.returncode != 0
    noise, said, line, *_ = done.stderr.splitlines()
    assert (noise, said) == ("noise of uv", error)
    assert advice in line
    assert "demo" not in done.stdout
    assert ("PIP_INDEX_URL" in line) is ("index" in advice or "package" in advice)
