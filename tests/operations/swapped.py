"""Two versions of the tables that answer differently, and what each answers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import commands.service

SHIPPED: Final = Path(commands.service.__file__).parent
VERSIONS: Final = ("A", "B")
TEXTS: Final = ("CXFA", "CXFB")
"""Of these, each version has one as a word; the other one it does not understand."""
UNLIMITED: Final = {"instructions_per_minute": 0, "same_text": 0}
_STATE: Final = "无开通飞信。发送KTFX到12520即可开通，开通免费。"
_UNREAD: Final = "，没有看懂您的短信。您是不是想发送{word}？是请直接回复“是”，不是请回复“否”。"


def write_version(folder: Path, version: str) -> None:
    """Put instructions and sentences of one version into an operator's folder."""
    (folder / "replies").mkdir(parents=True, exist_ok=True)
    words = (SHIPPED / "appendix8.yaml").read_text("utf-8").replace("value: CXFX,", f"value: CXF{version},")
    (folder / "appendix8.yaml").write_text(words, "utf-8")
    sentences = (SHIPPED / "replies" / "zh.yaml").read_text("utf-8")
    for text, other in (("对不起", f"版本{version}"), ("您还没有开通飞信。", f"版本{version}无开通飞信。")):
        sentences = sentences.replace(text, other)
    (folder / "replies" / "zh.yaml").write_text(sentences, "utf-8")


def answers(version: str) -> Mapping[str, str]:
    """What a version answers to each of TEXTS, from a handset that never opened Fetion."""
    own = f"CXF{version}"
    return {
        text: f"版本{version}{_STATE}" if text == own else f"版本{version}{_UNREAD.format(word=own)}"
        for text in TEXTS
    }
