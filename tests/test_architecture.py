"""The rules of the layout, as tables. A rule that no longer fits is changed here, and on purpose."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

TOP_LEVEL = frozenset(
    {
        *("gateway", "commands", "routing", "tests", "docs", ".ci"),
        *("config.yaml", "pyproject.toml", "requirements.lock", "Makefile", ".gitignore"),
        *("README.md", "CHANGELOG.md", "LICENSE", "NOTICE", "pytest_fetion_gateway.py"),
    }
)
"""Everything that may stand at the top."""

PIPELINE = frozenset(
    {
        *("gateway.smpp", "gateway.model", "gateway.storage.contract", "routing", "commands"),
        *("gateway.errors", "gateway.logs", "gateway.secrets", "gateway.clock", "gateway.binds"),
        *(
            "gateway.batch",
            "gateway.retransmissions",
            "gateway.intake",
            "gateway.longmessages",
            "gateway.outbox",
        ),
        *("gateway.reports", "gateway.guard", "gateway.migration", "gateway.replies", "gateway.hashing"),
        *("gateway.message_log", "gateway.journaled"),
    }
)
"""What the pipeline, the outbox and the pieces they are made of may import."""

EVERYTHING = frozenset({"gateway", "commands", "routing"})

ARROWS: dict[str, frozenset[str]] = {
    "routing": frozenset(),
    "commands": frozenset({"routing"}),
    "gateway.smpp": frozenset(),
    "gateway.clock": frozenset(),
    "gateway.logs": frozenset({"gateway.logsink"}),
    "gateway.logsink": frozenset(),
    "gateway.secrets": frozenset(),
    "gateway.settings": frozenset({"routing.tablefile"}),
    "gateway.errors": frozenset({"gateway.smpp", "routing", "commands"}),
    # gateway.smpp.long: what part of a long message an SMS is, a plain value.
    "gateway.model": frozenset({"routing", "commands.model", "gateway.smpp.long"}),
    "gateway.binds": frozenset({"gateway.smpp"}),
    "gateway.net": frozenset({"gateway.smpp", "gateway.errors"}),
    "gateway.storage": frozenset({"gateway.model", "commands.model", "gateway.smpp.long"}),
    "gateway.control": frozenset(),
    "gateway.batch": PIPELINE,
    "gateway.hashing": PIPELINE,
    "gateway.intake": PIPELINE,
    "gateway.guard": frozenset(),
    "gateway.journaled": PIPELINE,
    "gateway.longmessages": PIPELINE,
    "gateway.message_log": PIPELINE,
    "gateway.migration": PIPELINE,
    "gateway.operators": PIPELINE | {"gateway.control"},
    "gateway.outbox": PIPELINE,
    "gateway.pipeline": PIPELINE,
    "gateway.recovery": PIPELINE,
    "gateway.replies": PIPELINE,
    "gateway.retransmissions": PIPELINE,
    "gateway.reports": PIPELINE,
    "gateway.simulator": frozenset({"gateway.smpp", "gateway.net"}),
    "gateway.simulator.load": frozenset(
        {"gateway.simulator", "gateway.smpp", "gateway.net", "routing.tablefile"}
    ),
    "gateway.words": frozenset({"commands.text", "routing.tablefile"}),
    "gateway.app": EVERYTHING,
    "gateway.configured": EVERYTHING,
    "gateway.testing": EVERYTHING,
    "pytest_fetion_gateway": frozenset({"gateway.testing", "gateway.simulator"}),
    "gateway.replay": frozenset({"routing", "commands", "gateway.model", "gateway.journaled"}),
    "gateway.cli": frozenset(),  # its targets are imported when they are used
    "gateway.cli_check": EVERYTHING,
    "gateway.cli_config": EVERYTHING,
    "gateway.cli_demo": EVERYTHING,
    "gateway.cli_explain": EVERYTHING,
    "gateway.cli_handset": EVERYTHING,
    "gateway.cli_inspect": EVERYTHING,
    "gateway.cli_load": EVERYTHING,
    "gateway.cli_replay": EVERYTHING,
    "gateway.cli_scenario": EVERYTHING,
    "gateway.cli_settle": EVERYTHING,
    "gateway.settlement": frozenset({"routing", "commands", "gateway.model", "gateway.storage"}),
    "gateway.cli_serve": EVERYTHING,
    "gateway.__main__": frozenset({"gateway.cli"}),
}
"""A module (with all below it) -> what it may import, besides itself. The longest name counts."""

COMMAND_LINE = ("gateway.cli", "gateway.testing", "gateway.__main__", "pytest_fetion_gateway")
"""Nobody imports these but themselves."""

LIBRARIES: dict[str, frozenset[str]] = {
    "routing": frozenset({"pydantic", "yaml"}),
    "commands": frozenset({"pydantic", "yaml", "rapidfuzz"}),
    "gateway.settings": frozenset({"pydantic", "yaml"}),
    "gateway.logs": frozenset({"structlog", "orjson"}),
    "gateway.secrets": frozenset({"argon2", "cryptography"}),
    "gateway.storage": frozenset({"orjson"}),
    "gateway.control": frozenset({"orjson"}),
    "gateway.reports": frozenset({"structlog"}),
    "gateway.pipeline": frozenset({"structlog"}),
    "gateway.app": frozenset({"structlog"}),
    "gateway.simulator": frozenset({"yaml", "pydantic"}),
    "gateway.simulator.smpplib_handset": frozenset({"smpplib"}),
    "gateway.cli_inspect": frozenset({"orjson"}),
    "gateway.cli_replay": frozenset({"orjson"}),
    "gateway.testing": frozenset({"yaml"}),
    "pytest_fetion_gateway": frozenset({"pytest", "pytest_asyncio"}),
    "gateway.cli_serve": frozenset({"uvloop"}),
    "gateway.cli_demo": frozenset({"uvloop"}),
}
"""Libraries from outside that a module may import; absent: none."""

PURE = ("gateway.smpp", "routing", "commands")
IMPURE = frozenset(
    {"asyncio", "socket", "ssl", "time", "random", "os", "secrets", "subprocess", "threading", "logging"}
)

BOUNDARIES = frozenset(
    {
        # The hops of an SMS: what a bug raises in one fails that SMS alone.
        ("gateway.pipeline", "submitted"),
        ("gateway.hashing", "_prepare"),
        ("gateway.batch", "_fresh"),
        ("gateway.batch", "_load"),
        ("gateway.batch", "_begin"),
        ("gateway.batch", "_execute"),
        ("gateway.batch", "_apology"),
        ("gateway.batch", "_tell_incomplete"),
        ("gateway.pipeline", "_commit"),
        ("gateway.pipeline", "_work"),
        ("gateway.pipeline", "_give_up"),
        ("gateway.pipeline", "_answer"),
        ("gateway.pipeline", "_positive"),
        ("gateway.pipeline", "_tell"),
        ("gateway.outbox", "_transmit"),
        ("gateway.outbox", "_send"),
        ("gateway.outbox", "answered"),
        ("gateway.smpp.session", "_receive_frame"),
        ("gateway.net.listener", "received"),
        # Beside the way of an SMS: it is said, and the gateway goes on.
        ("gateway.pipeline", "_step"),
        ("gateway.app", "_tick"),
        ("gateway.replay", "_execute"),
    }
)
"""Functions that may catch every Exception: where a bug in one message must not reach the next."""

LONGEST_FILE = 500
LONGEST_FUNCTION = 60
LONGEST_SLEEP = 0.05
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:root|work|home/\w+|Users/\w+)/")


def module_name(path: Path) -> str:
    """gateway/net/__init__.py -> gateway.net."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def files_of(*folders: str) -> list[Path]:
    """The Python files below these folders of the project."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


FILES = [*files_of("gateway", "commands", "routing", "tests"), ROOT / "pytest_fetion_gateway.py"]
TREES = {path: ast.parse(path.read_text("utf-8")) for path in FILES}
PRODUCT = {module_name(path): tree for path, tree in TREES.items() if not path.is_relative_to(ROOT / "tests")}
TESTS = {module_name(path): tree for path, tree in TREES.items() if path.is_relative_to(ROOT / "tests")}


def imports_of(tree: ast.Module) -> Iterator[str]:
    """Every module that is imported, inside functions too; `from gateway import model` is gateway.model."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (f"gateway.{a.name}" for a in node.names) if module == "gateway" else (module,)


def is_within(module: str, name: str) -> bool:
    """Whether a module is `name` or below it."""
    return module == name or module.startswith(f"{name}.")


def longest(module: str, names: dict[str, frozenset[str]]) -> str | None:
    """The longest of the names that a module is within."""
    return max((name for name in names if is_within(module, name)), key=len, default=None)


def functions_of(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method."""
    return (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def committed_files() -> list[Path]:
    """What git would commit; nothing where there is no git."""
    listed = subprocess.run(
        ["/usr/bin/env", "git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    names = listed.stdout.decode().split("\0") if listed.returncode == 0 else []
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_every_import_follows_an_arrow() -> None:
    """No module imports one of ours that the table of arrows does not allow it."""
    offences = []
    for module, tree in PRODUCT.items():
        unit = longest(module, ARROWS)
        assert unit or module == "gateway", f"{module} has no row in ARROWS"
        allowed = {unit, *ARROWS.get(unit or "", ())}
        for name in imports_of(tree):
            ours = name.split(".")[0] in EVERYTHING
            if ours and not any(is_within(name, each) for each in allowed if each):
                offences.append(f"{module} -> {name}")
    assert offences == []


def test_nobody_imports_the_command_line() -> None:
    """Nothing but the command line itself imports gateway.cli*, and nothing imports gateway.testing."""
    offences = [
        f"{module} -> {name}"
        for module, tree in PRODUCT.items()
        if not module.startswith(COMMAND_LINE)
        for name in imports_of(tree)
        if name.startswith(COMMAND_LINE)
    ]
    assert offences == []


def test_imports_are_absolute() -> None:
    """Every import names its module in full."""
    offences = [
        f"{m} -> {name}" for m, t in PRODUCT.items() for name in imports_of(t) if name.startswith(".")
    ]
    assert offences == []


def test_libraries_stay_where_they_belong() -> None:
    """A library from outside is imported only by the modules that the table names."""
    offences = []
    for module, tree in PRODUCT.items():
        allowed = LIBRARIES.get(longest(module, LIBRARIES) or "", frozenset())
        for name in imports_of(tree):
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names | EVERYTHING | allowed:
                offences.append(f"{module} -> {name}")
    assert offences == []


def test_the_core_is_pure() -> None:
    """SMPP, routing and commands know no socket, loop, clock, thread, randomness or operating system."""
    offences = [
        f"{module} -> {name}"
        for module, tree in PRODUCT.items()
        if any(is_within(module, pure) for pure in PURE)
        for name in imports_of(tree)
        if name.split(".")[0] in IMPURE
    ]
    assert offences == []


def test_only_boundaries_catch_everything() -> None:
    """Whoever catches every exception raises it on, except the listed functions, which all still do."""
    found = {
        (module, function.name)
        for module, tree in PRODUCT.items()
        for function in functions_of(tree)
        for node in ast.walk(function)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
        and not isinstance(node.body[-1], ast.Raise)
    }
    assert found == BOUNDARIES


def test_files_are_short() -> None:
    """No Python file has more than 500 lines."""
    lengths = {module_name(path): len(path.read_text("utf-8").splitlines()) for path in TREES}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_functions_are_short() -> None:
    """No function has more than 60 lines."""
    offences = {
        f"{module}.{function.name}": length
        for module, tree in {**PRODUCT, **TESTS}.items()
        for function in functions_of(tree)
        if (length := (function.end_lineno or 0) - function.lineno + 1) > LONGEST_FUNCTION
    }
    assert offences == {}


def test_every_test_states_its_claim() -> None:
    """Every test has a docstring."""
    offences = [
        f"{module}.{function.name}"
        for module, tree in TESTS.items()
        for function in functions_of(tree)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert offences == []


def test_no_test_sleeps() -> None:
    """A test waits for what it waits for: no sleep over 50 ms, none of a length computed elsewhere."""
    offences = []
    for module, tree in TESTS.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "sleep":
                length = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
                if not isinstance(length, (int, float)) or length > LONGEST_SLEEP:
                    offences.append(f"{module}:{node.lineno}: {ast.unparse(node)}")
    assert offences == []


def test_top_level_is_as_designed() -> None:
    """Nothing stands at the top of the repository but what the table names."""
    files = committed_files()
    if not files:
        pytest.skip(
            "not a git work tree: what belongs to the project cannot be told from what was built in it"
        )
    assert {path.relative_to(ROOT).parts[0] for path in files} - TOP_LEVEL == set()


def test_no_file_names_a_machine() -> None:
    """No committed file has a path of somebody's machine in it, and the lock file no address."""
    offences = []
    for path in committed_files():
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
            if MACHINE_PATH.search(line):
                offences.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert offences == []
    assert "://" not in (ROOT / "requirements.lock").read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see /" + "root/x", True),
        ("in /" + "home/ann/x", True),
        ("../shared/reference", False),
        ("a/work/b", False),
    ],
)
def test_machine_paths_are_recognised(text: str, found: bool) -> None:
    """The search for paths of a machine finds absolute ones, and leaves relative ones alone."""
    assert bool(MACHINE_PATH.search(text)) is found
