"""Writes configuration files for gateways under test."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from routing.tablefile import Fault, TableError


def write_config(folder: Path, *layers: Mapping[str, Any]) -> Path:
    """Write config.yaml into the folder, which is made where it is missing.

    layers: sections as in config.yaml. Each layer overrides the keys that it has, at any depth, and leaves
    the others; a list is replaced as a whole. Below all layers the gateway listens on a free port, and has no
    console. Relative paths in a configuration are relative to its folder. Raises TableError for a value that
    YAML cannot hold.
    """
    sections: dict[str, Any] = {"smpp": {"listen": {"port": 0}}, "console": {"listen": None}}
    for layer in layers:
        _lay_over(sections, layer)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    try:
        content = yaml.safe_dump(sections, allow_unicode=True)
    except yaml.representer.RepresenterError as error:
        value = type(error.args[-1]).__name__
        reason = f"holds a {value}, which a configuration file cannot: write a text or a number"
        raise TableError([Fault(str(path), 1, "(config)", reason)]) from error
    path.write_text(content, encoding="utf-8")
    return path


def _lay_over(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(below.get(key), dict):
            _lay_over(below[key], value)
        else:
            below[key] = deepcopy(value)
