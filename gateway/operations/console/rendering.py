"""Templates and texts: how a page becomes HTML, in Chinese or English."""

import time
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Final

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from gateway.operations.console.page import Section, Visit

LANGUAGES: Final = ("zh", "en")
_PACKAGE: Final = "gateway.operations.console"


class Rendering:
    """Every value is escaped; a name that a template uses and nobody gave is an error.

    The texts stand in texts/*.yaml: `key: {zh: ..., en: ...}`; the key of a text is FILE.KEY. spent: seconds
    that were spent here since the start.
    """

    def __init__(self, sections: Sequence[Section]) -> None:
        self.spent = 0.0
        self._sections = sections
        self._texts = load_texts()
        self._templates = Environment(
            loader=PackageLoader(_PACKAGE),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(self, visit: Visit, template: str, status: int, values: Mapping[str, Any]) -> Response:
        """Render a template."""
        begin = time.monotonic()
        html = self._templates.get_template(template).render(
            values,
            viewer=visit.viewer,
            language=visit.language,
            theme=visit.theme,
            back=visit.here if visit.request.method == "GET" else visit.request.url.path,
            logged_in=bool(visit.viewer.name),
            sections=[each for each in self._sections if each.path and self._seen(visit, each)],
            here=visit.request.url.path,
            t=lambda key, **given: self.text(visit.language, key, given),
        )
        self.spent += time.monotonic() - begin
        return HTMLResponse(html, status)

    def text(self, language: str, key: str, values: Mapping[str, object]) -> str:
        """A text. Raises KeyError for one that is in no file."""
        return self._texts[key][language].format(**values)

    @staticmethod
    def _seen(visit: Visit, section: Section) -> bool:
        return bool(visit.viewer.name) and (section.right is None or visit.viewer.may(section.right))


def load_texts() -> dict[str, dict[str, str]]:
    """Every text of the console, by FILE.KEY."""
    texts: dict[str, dict[str, str]] = {}
    for file in sorted((resources.files(_PACKAGE) / "texts").iterdir(), key=lambda each: each.name):
        name = file.name.removesuffix(".yaml")
        for key, both in (yaml.safe_load(file.read_text("utf-8")) or {}).items():
            texts[f"{name}.{key}"] = both
    return texts
