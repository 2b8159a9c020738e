"""Scenario results as a JUnit report."""

from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.junit import Played, write


def report(path: Path, *results: Played) -> ElementTree.Element:
    """What a reader finds in the report of these."""
    write(path, results)
    return ElementTree.parse(path).getroot()


def test_a_case_for_each_scenario(tmp_path: Path) -> None:
    """One suite with its counts, one case for each scenario with its conversation, and the failures."""
    root = report(
        tmp_path / "out.xml",
        Played("a.yaml", "good", 0.25, "alice -> 161  KTFX"),
        Played("b.yaml", "bad", 1.5, "nothing", "bad: step 2: nothing came\n  came instead: <x>"),
    )
    assert root.tag == "testsuites"
    [suite] = root
    assert suite.tag == "testsuite"
    for element in (root, suite):
        assert {key: element.get(key) for key in ("tests", "failures", "errors", "time")} == {
            "tests": "2",
            "failures": "1",
            "errors": "0",
            "time": "1.750",
        }
    good, bad = suite
    assert (good.tag, good.attrib) == ("testcase", {"name": "good", "classname": "a.yaml", "time": "0.250"})
    assert [(child.tag, child.text) for child in good] == [("system-out", "alice -> 161  KTFX")]
    failure, _ = bad
    assert failure.attrib == {"message": "bad: step 2: nothing came", "type": "StepFailedError"}
    assert failure.text == "bad: step 2: nothing came\n  came instead: <x>"


@given(text=st.text(st.characters(exclude_categories=[])))
def test_any_text_makes_a_readable_report(text: str) -> None:
    """Whatever handsets wrote, control characters and halves of pairs too, the report can be read."""
    with TemporaryDirectory() as folder:
        root = report(Path(folder) / "out.xml", Played("a.yaml", text, 0.0, text, text))
    assert root.get("tests") == "1"
