"""The list of sensitive words: how it is read, what is found, and that it can be read again while running."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.sensitive_words import WordList, fold
from gateway.cli.check import find_faults
from gateway.testing import running_gateway
from routing.tablefile import TableError
from tests.proofs.served import events, serving, until, write_config
from tests.support import ALICE, BOB

LIST = "# what may not be said\n\n法轮\n赌 博\nviagra\n代开发票\n代开\n"


def written(folder: Path, text: str = LIST) -> Path:
    """A list as a file."""
    path = folder / "words.txt"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("来赌博吧", "赌博"),
        ("赌。博", None),
        ("赌 \u200b\n博", "赌博"),
        ("ＶＩＡＧＲＡ", "VIAGRA"),
        ("via gra", "VIAGRA"),
        ("代开发票", "代开"),
        ("代 代 代开", "代开"),
        ("你好", None),
        ("", None),
    ],
)
def test_found(tmp_path: Path, text: str, word: str | None) -> None:
    """A word is found however wide, high or spaced it is typed, and nothing else is."""
    assert WordList.load(written(tmp_path)).found(text) == word


def test_a_list_is_counted(tmp_path: Path) -> None:
    """Comments and empty lines are no words, a byte-order mark is none, and equal words count once."""
    assert WordList.load(written(tmp_path, "\ufeffab\nＡＢ\n# no\n \nc d\n")).count == 2


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("ok\n" + "字" * 51, "words.txt:2: word: has more than 50"),
        ("\u200b", "words.txt:1: word: is nothing"),
    ],
)
def test_bad_lists(tmp_path: Path, text: str, fault: str) -> None:
    """A line that cannot be a word is refused with its place."""
    with pytest.raises(TableError, match=fault):
        WordList.load(written(tmp_path, text))


def test_lists_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is missing or no UTF-8 is a fault, not an empty list."""
    with pytest.raises(TableError, match="cannot be read"):
        WordList.load(tmp_path / "nowhere.txt")
    (tmp_path / "words.txt").write_bytes(b"\xb6\xc4")
    with pytest.raises(TableError, match="is not UTF-8"):
        WordList.load(tmp_path / "words.txt")


@given(st.lists(st.text("abcd", min_size=1, max_size=3), max_size=8), st.text("abcd x", max_size=20))
def test_found_is_what_stands_in_the_text(words: list[str], text: str) -> None:
    """A word of the list is found exactly when one stands in the folded text."""
    found = WordList(words).found(text)
    assert (found is not None) == any(fold(word) in fold(text) for word in words)
    assert found is None or found in fold(text)


async def test_chat_with_a_word(tmp_path: Path) -> None:
    """A chat message that holds a word does not leave; one without does."""
    words = written(tmp_path)
    async with running_gateway(tmp_path, {"service": {"sensitive_words": str(words)}}) as gateway:
        alice, bob = await gateway.handset(ALICE), await gateway.handset(BOB)
        for each in (alice, bob):
            await each.send("KTFX", to="161")
            await each.expect("欢迎")
        await alice.send(f"HY#{BOB}", to="161")
        await alice.expect("申请")
        await bob.send("是", to="161")
        await alice.expect("同意")
        await alice.send("来赌博吧", to=f"12520{BOB}")
        await alice.expect("不允许发送", sender=f"12520{BOB}")
        await alice.send("来吃饭吧", to=f"12520{BOB}")
        await bob.expect("^来吃饭吧$")


async def test_read_again_on_sighup(tmp_path: Path) -> None:
    """SIGHUP reads the list again; one with a fault is refused, and the old one stays in use."""
    words = written(tmp_path)
    config = write_config(tmp_path, service={"sensitive_words": "words.txt"})
    async with serving(config) as served:
        written(tmp_path, "字" * 51)
        served.send(signal.SIGHUP)
        await until(lambda: "words.refused" in events(served.log), "words.refused")
        words.write_text("一\n二\n", encoding="utf-8")
        served.send(signal.SIGHUP)
        await until(lambda: events(served.log).count("words.loaded") == 2, "words.loaded")
        await served.stop()


async def test_a_pipe_in_place_of_the_list(tmp_path: Path) -> None:
    """SIGHUP does not wait for somebody to write into it: SMS are answered, and the old list stays."""
    words = written(tmp_path)
    async with serving(write_config(tmp_path, service={"sensitive_words": "words.txt"})) as served:
        words.unlink()
        os.mkfifo(words)
        served.send(signal.SIGHUP)
        await until(lambda: "words.refused" in events(served.log), "words.refused")
        assert await served.stop() == 0


def test_check_looks_into_the_list(tmp_path: Path) -> None:
    """`check` finds a list that is missing or has faults before anything is started; a good one passes."""
    config = write_config(tmp_path, service={"sensitive_words": "words.txt"})
    assert [fault.reason for fault in find_faults(config)] == ["cannot be read: No such file or directory"]
    written(tmp_path, "好\n" + "字" * 51)
    (fault,) = find_faults(config)
    assert (fault.file, fault.line) == (str(tmp_path / "words.txt"), 2)
    written(tmp_path)
    assert find_faults(config) == []
