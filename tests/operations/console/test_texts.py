"""The texts of the pages in both languages, and what a page says to somebody who has nothing yet."""

import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import yaml

from gateway.operations.console.rights import Role
from gateway.operations.console.statistics.catalogue import load_catalogue
from gateway.testing import running_gateway
from tests.operations.console.browser import CONSOLE, browser

PLACES = re.compile(r"\{(\w+)(?:![rs])?\}")
OF_THE_PROJECT = re.compile(r"business\.md|DESIGN|CONTRACT|STYLE\.md")
"""Papers that a visitor does not have."""


def texts() -> Iterator[tuple[str, str, str]]:
    """Each text of the pages: where it stands, in Chinese and in English."""
    for file in (resources.files("gateway.operations.console") / "texts").iterdir():
        for key, both in yaml.safe_load(file.read_text("utf-8")).items():
            yield f"{file.name}: {key}", both["zh"], both["en"]


def test_both_languages_say_the_same() -> None:
    """An account has one name in Chinese, no text leads to a paper that nobody has, values are in both."""
    for where, zh, en in texts():
        assert "帐" not in zh, where
        assert not OF_THE_PROJECT.search(zh + en), where
        assert set(PLACES.findall(en)) == set(PLACES.findall(zh)), where


def test_reports_name_sources_that_a_visitor_knows() -> None:
    """In his language."""
    for report in load_catalogue().reports:
        assert not OF_THE_PROJECT.search(report.source.zh + report.source.en), report.id
        if report.ground == "ours":
            assert re.search("[\u4e00-\u9fff]", report.source.zh), report.id


async def test_a_page_says_what_to_do(tmp_path: Path) -> None:
    """What is not there is not called refused; who has no figure, phone or account is told how to get one."""
    async with running_gateway(tmp_path, CONSOLE) as gateway:
        visitor = browser(gateway, Role.ADMINISTRATOR)
        for path, said in (
            ("/nowhere", "<h1>没有找到</h1>"),
            ("/phones/13700137000", "<h1>没有找到</h1>"),
            ("/statistics", "测试号码的短信不计入统计"),
            ("/phones", "13900000000-13900000009"),
        ):
            assert said in (await visitor.get(path)).text, path
        assert "<h1>请求被拒绝</h1>" in (await browser(gateway, Role.READER).get("/audit")).text
        assert "fetion-gateway user add" in (await browser(gateway, None).get("/login")).text
