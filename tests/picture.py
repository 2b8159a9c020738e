"""Draws the picture of docs/architecture.md from the imports of the code: `make picture`."""

import sys
from collections.abc import Mapping

from tests.layout import LAYERS
from tests.test_architecture import PRODUCT, ROOT, is_within, modules_of

PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- picture: written by `make picture` -->\n", "<!-- end of the picture -->\n"

UNITS = (*(each for row in LAYERS for each in row), "gateway.channels.smpp", "gateway.net", "gateway.smpp")
"""The boxes. Modules that all of gateway/ shares (clock, errors, secrets, settings) are not drawn."""


def unit_of(module: str) -> str | None:
    """The box that a module stands in."""
    return max((unit for unit in UNITS if is_within(module, unit)), key=len, default=None)


def arrows() -> dict[str, set[str]]:
    """Box -> the boxes that its modules import."""
    found: dict[str, set[str]] = {unit: set() for unit in UNITS}
    for module, tree in PRODUCT.items():
        unit = unit_of(module)
        if unit is not None:
            found[unit] |= {other for name in modules_of(tree) if (other := unit_of(name)) and other != unit}
    return found


def behind(unit: str, graph: Mapping[str, set[str]]) -> set[str]:
    """All boxes that arrows lead to from one."""
    return {each for other in graph[unit] for each in (other, *behind(other, graph))}


def drawn(graph: Mapping[str, set[str]]) -> list[tuple[str, str]]:
    """The arrows without those that follow from others."""
    return [
        (unit, other)
        for unit in UNITS
        for other in sorted(graph[unit], key=UNITS.index)
        if not any(other in behind(each, graph) for each in graph[unit])
    ]


def picture() -> str:
    """The picture as Mermaid, which GitHub and editors draw."""
    lines = ["```mermaid", "flowchart TD"]
    for unit in UNITS:
        count = sum(unit_of(module) == unit for module in PRODUCT)
        name = unit.removeprefix("gateway.")
        lines.append(f'    {unit.replace(".", "_")}["{name} ({count})"]')
    lines += [f"    {a.replace('.', '_')} --> {b.replace('.', '_')}" for a, b in drawn(arrows())]
    return "\n".join([*lines, "```", ""])


def updated(page: str) -> str:
    """The page with the picture of today."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + BEGIN + picture() + END + tail


def main() -> int:
    """Write it."""
    PAGE.write_text(updated(PAGE.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
