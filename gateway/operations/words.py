"""Reads the sensitive words that the configuration names."""

from pathlib import Path

from commands.model import NO_WORDS, Words
from commands.sensitive_words import WordList
from gateway.operations.logs import Log


def read_words(path: Path | None, log: Log) -> Words:
    """The words of a file; none where no file is named. Raises TableError."""
    if path is None:
        return NO_WORDS
    words = WordList.load(path)
    log.logger.info("words.loaded", words=words.count, file=str(path))
    return words
