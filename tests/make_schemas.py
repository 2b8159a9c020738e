"""Writes gateway/events/schemas/ anew from the models: `make schemas`."""

import json
from pathlib import Path

from gateway.events.payloads import PAYLOADS, schema_of

FOLDER = Path(__file__).parent.parent / "gateway" / "events" / "schemas"


def schemas() -> dict[str, str]:
    """The text of each file."""
    return {
        f"{name}.json": json.dumps(schema_of(name), ensure_ascii=False, indent=2) + "\n" for name in PAYLOADS
    }


if __name__ == "__main__":
    for name, text in schemas().items():
        (FOLDER / name).write_text(text, "utf-8")
