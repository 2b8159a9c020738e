"""The tree keeps to the rules of tests/layout.py."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.layout import (
    ARROWS,
    BELOW_SMPP,
    BOUNDARIES,
    COMMAND_LINE,
    ENGINES,
    EVERYTHING,
    IMPURE,
    KNOW_SMPP,
    LAYERS,
    LIBRARIES,
    LONGEST_FILE,
    LONGEST_FUNCTION,
    LONGEST_SLEEP,
    MACHINE_PATH,
    MOST_LOOSE,
    MOST_PARAMETERS,
    PURE,
    SHARED,
    SQL,
    TOGETHER,
    TOP_LEVEL,
    UNSHARED,
)

ROOT = Path(__file__).parent.parent


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
    """Every module that is imported, inside functions too; `from gateway import model` is gateway.message."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (f"gateway.{a.name}" for a in node.names) if module == "gateway" else (module,)


def modules_of(tree: ast.Module) -> Iterator[str]:
    """Every module that is imported, where `from package import module` names the module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            below = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in below if name in PRODUCT)
            if any(name not in PRODUCT for name in below):
                yield node.module


def parameters_of(function: ast.FunctionDef) -> int:
    """How many parameters a function has, those by name only, * and ** included."""
    given = function.args
    named = len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs)
    return named + (given.vararg is not None) + (given.kwarg is not None)


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


def layer_of(module: str) -> int | None:
    """Where a module stands in LAYERS."""
    return next((n for n, row in enumerate(LAYERS) if any(is_within(module, each) for each in row)), None)


def member_of(module: str) -> str | None:
    """The member of LAYERS that a module is within."""
    return next((each for row in LAYERS for each in row if is_within(module, each)), None)


def may_import(module: str, name: str) -> bool:
    """Whether the tables allow a module of ours to import another one of ours."""
    unit, above, below = longest(module, ARROWS), layer_of(module), layer_of(name)
    if unit and any(is_within(name, each) for each in (unit, *ARROWS[unit])):
        return True
    if (
        name in SHARED
        and module.startswith("gateway.")
        and longest(module, dict.fromkeys(UNSHARED, frozenset())) is None
    ):
        return True
    if above is None or below is None:
        return False
    together = above == below and TOGETHER & set(LAYERS[above])
    return below > above or member_of(module) == member_of(name) or bool(together)


def test_every_import_follows_an_arrow() -> None:
    """No module imports one of ours that LAYERS, SHARED and ARROWS do not allow it."""
    offences = {
        f"{module} -> {name}"
        for module, tree in PRODUCT.items()
        for name in imports_of(tree)
        if name.split(".")[0] in EVERYTHING and not may_import(module, name)
    }
    assert offences == set()


def test_nobody_imports_the_command_line() -> None:
    """Nothing but the command line itself imports gateway.cli, and nothing imports gateway.testing."""
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


def test_only_the_table_of_engines_names_one() -> None:
    """SQLite is named in its own package and in the table of engines, no engine's package anywhere else."""
    offences = {
        f"{module} -> {name}"
        for module, tree in PRODUCT.items()
        for name in imports_of(tree)
        if (is_within(name, "sqlite3") and not is_within(module, "gateway.storage.sqlite"))
        or (
            (package := next((each for each in ENGINES if is_within(name, each)), None))
            and not is_within(module, package)
            and module != "gateway.storage.engines"
        )
    }
    assert offences == set()


def test_nothing_in_the_middle_knows_smpp() -> None:
    """Outside of the ways in and out, the simulator and the test aids nothing imports gateway.smpp; what
    builds or checks the SMPP channel imports that channel."""
    offences = {
        f"{module} -> {name}"
        for module, tree in PRODUCT.items()
        if not any(is_within(module, each) for each in KNOW_SMPP)
        for name in imports_of(tree)
        if is_within(name, "gateway.smpp") or (is_within(name, "gateway.net") and name not in BELOW_SMPP)
    }
    assert offences == set()


def test_sql_stands_in_engines_only() -> None:
    """No text outside gateway/storage/ is an SQL statement, and none outside an engine's package names its
    library."""
    offences = [
        f"{module}:{node.lineno}: {node.value!r}"
        for module, tree in PRODUCT.items()
        if not is_within(module, "gateway.storage")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value)
    ]
    assert offences == []


def test_no_import_goes_in_a_circle() -> None:
    """Modules can be ordered so that each imports only those before it, imports inside functions included."""
    graph = {
        module: {name for name in modules_of(tree) if name in PRODUCT and name != module}
        for module, tree in PRODUCT.items()
    }
    tuple(graphlib.TopologicalSorter(graph).static_order())  # CycleError names the circle


def test_few_modules_stand_loose() -> None:
    """At most fourteen modules stand directly in gateway/: all else is in the package that it belongs to."""
    assert len(list((ROOT / "gateway").glob("*.py"))) <= MOST_LOOSE


def test_constructors_take_few_things() -> None:
    """No constructor has more than seven parameters; what belongs together travels as one value."""
    offences = {
        f"{module}.{defined.name}": count
        for module, tree in PRODUCT.items()
        for defined in ast.walk(tree)
        if isinstance(defined, ast.ClassDef)
        for function in defined.body
        if isinstance(function, ast.FunctionDef) and function.name == "__init__"
        if (count := parameters_of(function) - 1) > MOST_PARAMETERS
    }
    assert offences == {}


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
