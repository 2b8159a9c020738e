"""The errors and what they say to do next."""

from collections.abc import Iterator

import pytest

from gateway.smpp import errors
from gateway.smpp.errors import SmppError
from gateway.smpp.status import CommandStatus


def subclasses(error: type[SmppError]) -> Iterator[type[SmppError]]:
    """The class and everything below it."""
    yield error
    for each in error.__subclasses__():
        yield from subclasses(each)


def test_tree_of_the_docstring() -> None:
    """The tree in the docstring is the tree of the module, in the same order."""
    lines = (errors.__doc__ or "").splitlines()
    drawn = [line.split("── ")[1].split()[0] for line in lines if "── " in line]
    assert drawn == [error.__name__ for error in subclasses(SmppError) if error is not SmppError]


@pytest.mark.parametrize("error", list(subclasses(SmppError)))
def test_every_class_has_a_verdict(error: type[SmppError]) -> None:
    """Each class says what to answer."""
    assert error.command_status in set(CommandStatus) - {CommandStatus.ROK}
    assert error.__doc__
