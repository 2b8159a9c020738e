"""Results of scenarios as a JUnit report, which every CI server reads (the schema that Jenkins publishes)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

_NOT_IN_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 section 2.2 forbids even when escaped."""


@dataclass(frozen=True, slots=True)
class Played:
    """One scenario that was played. failure: why it failed, "" when it did not. seconds: of real time."""

    file: str
    name: str
    seconds: float
    transcript: str
    failure: str = ""


def write(path: Path, results: Sequence[Played]) -> None:
    """Write the report: one suite, one case for each scenario. Raises OSError."""
    failures = sum(1 for played in results if played.failure)
    counts = {"tests": str(len(results)), "failures": str(failures), "errors": "0"}
    time = f"{sum(played.seconds for played in results):.3f}"
    root = Element("testsuites", counts | {"name": "scenarios", "time": time})
    suite = SubElement(root, "testsuite", counts | {"name": "scenarios", "skipped": "0", "time": time})
    for played in results:
        attributes = {"name": played.name, "classname": played.file, "time": f"{played.seconds:.3f}"}
        case = SubElement(suite, "testcase", {key: _allowed(text) for key, text in attributes.items()})
        if played.failure:
            first, _, _ = played.failure.partition("\n")
            failure = SubElement(case, "failure", {"message": _allowed(first), "type": "StepFailedError"})
            failure.text = _allowed(played.failure)
        SubElement(case, "system-out").text = _allowed(played.transcript)
    indent(root)
    ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _allowed(text: str) -> str:
    """Replace characters that XML forbids by U+FFFD: an SMS can hold any character."""
    return _NOT_IN_XML.sub("\ufffd", text)
