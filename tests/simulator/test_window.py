"""The window of the demo: order, a terminal that is paused, one that is gone."""

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from gateway.simulator.sms import Sms
from gateway.simulator.window import BACKLOG, Window

ALICE = "13800138000"


@contextmanager
def pipe() -> Iterator[tuple[int, TextIO]]:
    """The reading end, and a stream that writes into the other."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        yield reading, stream


def no_gloss(_: Sms) -> None:
    """Nothing is known."""


def test_in_order() -> None:
    """SMS and remarks stand in the order in which they were put, with names and glosses."""
    stream = io.StringIO()
    window = Window(stream, {ALICE: "alice"}, lambda sms: f"gloss of {sms.text}")
    window.say("first")
    window.show(Sms(ALICE, "161", "x"))
    window.note("a note " * 30)
    window.say("last")
    window.close()
    first, sms, gloss, note, last = stream.getvalue().splitlines()
    assert (first, note, last) == ("first", "  " + ("a note " * 30).strip(), "last")
    assert sms.split() == ["alice", ALICE, "->", "161", "x"]
    assert gloss.strip() == "gloss of x"


def test_what_cannot_be_encoded_is_replaced() -> None:
    """A terminal without Chinese shows question marks."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="ascii") as stream:
        window = Window(stream, {}, no_gloss)
        window.show(Sms("161", ALICE, "飞信 ok"))
        window.close()
    assert os.read(reading, 1000).decode().endswith("?? ok\n")
    os.close(reading)


def test_nobody_waits_for_a_paused_terminal() -> None:
    """What finds no room is counted, and said when the terminal goes on; the window closes in time."""
    with pipe() as (reading, stream):
        window = Window(stream, {}, no_gloss)
        text = "x" * 1000
        for _ in range(3 * BACKLOG):  # a pipe holds some 64 KiB
            window.show(Sms("161", ALICE, text))
        assert not window.written(0.01)
        window.close(0.01)
        rest = b""
        while rest.count(text.encode()) < BACKLOG:
            rest += os.read(reading, 65_536)
        assert window.written()
        window.show(Sms("161", ALICE, "after"))
        window.close()
        rest += os.read(reading, 65_536)
        os.close(reading)
    shown = rest.decode()
    assert " not shown: the terminal was paused, or too slow)" in shown
    assert shown.endswith("after\n")


def test_a_reader_that_is_gone() -> None:
    """It is told once, and nothing is written any more."""
    gone = threading.Event()
    with pipe() as (reading, stream):
        window = Window(stream, {}, no_gloss, gone.set)
        os.close(reading)
        window.say("x")
        assert gone.wait(5)
        window.say("y")
        window.close()
        assert window.broken
