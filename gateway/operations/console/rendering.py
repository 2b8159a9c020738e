"""Templates and texts: how a page becomes HTML, in Chinese or English."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from gateway.operations.console.page import Section, Visit
from routing import tablefile

LANGUAGES: Final = ("zh", "en")
_PACKAGE: Final = "gateway.operations.console"


class Rendering:
    """Every value is escaped; a name that a template uses and nobody gave is an error.

    The texts stand in texts/*.yaml: `key: {zh: ..., en: ...}`; the key of a text is FILE.KEY. spent: seconds
    that were spent here since the start in the event loop.
    """

    def __init__(self, sections: Sequence[Section]) -> None:
        self.spent = 0.0
        self._sections = sections
        self._templates, self._texts = shipped()

    def page(self, visit: Visit, template: str, status: int, values: Mapping[str, Any]) -> Response:
        """Render a template. back: where a switch of language or colours leads: to the page itself; what was
        sent to it has no address, the page then says one."""
        begin = time.monotonic()
        html = self._templates.get_template(template).render(
            {key: value for key, value in values.items() if key != "back"},
            viewer=visit.viewer,
            language=visit.language,
            theme=visit.theme,
            back=values.get("back") or (visit.here if visit.request.method == "GET" else "/"),
            logged_in=bool(visit.viewer.name),
            sections=[each for each in self._sections if each.path and self._seen(visit, each)],
            here=visit.request.url.path,
            t=lambda key, **given: self.text(visit.language, key, given),
        )
        if _in_a_loop():
            self.spent += time.monotonic() - begin
        return HTMLResponse(html, status)

    def text(self, language: str, key: str, values: Mapping[str, object]) -> str:
        """A text. Raises KeyError for one that is in no file."""
        return self._texts[key][language].format(**values)

    @staticmethod
    def _seen(visit: Visit, section: Section) -> bool:
        return bool(visit.viewer.name) and (section.right is None or visit.viewer.may(section.right))


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@cache
def shipped() -> tuple[Environment, Mapping[str, Mapping[str, str]]]:
    """Templates and texts of the package, the same for every gateway of a process.

    All templates are compiled here: at the first request that would stop SMS for a tenth of a second.
    """
    templates = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for name in templates.list_templates():
        templates.get_template(name)
    return templates, load_texts()


def load_texts() -> dict[str, dict[str, str]]:
    """Every text of the console, by FILE.KEY."""
    texts: dict[str, dict[str, str]] = {}
    for file in sorted((resources.files(_PACKAGE) / "texts").iterdir(), key=lambda each: each.name):
        name = file.name.removesuffix(".yaml")
        for key, both in (tablefile.shipped(file.read_text("utf-8")) or {}).items():
            texts[f"{name}.{key}"] = both
    return texts
