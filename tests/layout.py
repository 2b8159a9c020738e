"""The rules of the layout, as tables; tests/test_architecture.py holds the tree to them.

A rule that no longer fits is changed here, and on purpose.
"""

import re

TOP_LEVEL = frozenset(
    {
        *("gateway", "commands", "routing", "tests", "docs", ".ci", "deploy"),
        *("config.yaml", "pyproject.toml", "requirements.lock", "Makefile", ".gitignore"),
        *("README.md", "README.zh-CN.md", "CHANGELOG.md", "LICENSE", "NOTICE", "pytest_fetion_gateway.py"),
    }
)
"""Everything that may stand at the top."""

EVERYTHING = frozenset({"gateway", "commands", "routing"})

LAYERS: tuple[tuple[str, ...], ...] = (
    ("gateway.cli",),
    ("gateway.testing",),
    ("gateway.simulator",),
    ("gateway.app", "gateway.assembly", "gateway.lifecycle"),
    ("gateway.operations", "gateway.billing"),
    ("gateway.processing",),
    ("gateway.inbound", "gateway.outbound"),
    ("gateway.channels", "gateway.events"),
    ("gateway.storage",),
    ("gateway.observer",),
    ("gateway.message",),
    ("gateway.delivery",),
    ("gateway.message_numbers",),
    ("gateway.tables",),
    ("commands",),
    ("routing",),
)
"""From the top down. A package imports itself and those below it, never one above or beside it."""

TOGETHER = frozenset({"gateway.app", "gateway.assembly"})
"""Layers whose members may import one another."""

SHARED = frozenset(
    {
        *("gateway.clock", "gateway.disk", "gateway.errors"),
        *("gateway.secrets", "gateway.settings"),
    }
)
"""What every package of gateway/ but gateway.smpp may import."""

ARROWS: dict[str, frozenset[str]] = {
    "gateway.channels": frozenset({"gateway.net", "gateway.smpp"}),
    "gateway.net": frozenset({"gateway.smpp"}),
    "gateway.smpp": frozenset(),
    "gateway.clock": frozenset(),
    "gateway.secrets": frozenset({"gateway.disk"}),
    "gateway.disk": frozenset(),
    "gateway.errors": frozenset(),
    "gateway.settings": frozenset(
        {
            *("gateway.channels.smpp.settings", "gateway.events.broker", "gateway.storage.settings"),
            *("routing.tablefile", "gateway.operations.console.settings"),
            "gateway.operations.telemetry.settings",
        }
    ),
    "gateway.operations.console.settings": frozenset({"routing.ranges", "routing.tablefile"}),
    "gateway.operations.telemetry.settings": frozenset({"routing.tablefile"}),
    "gateway.operations.console.server": frozenset({"gateway.net"}),
    "gateway.operations.console.guessing": frozenset({"gateway.net"}),
    "gateway.operations.console.certificates": frozenset({"gateway.net", "routing.tablefile"}),
    "gateway.operations.console.pace": frozenset({"gateway.net"}),
    "gateway.channels.smpp.settings": frozenset({"gateway.events.broker", "routing.tablefile"}),
    "gateway.events.broker": frozenset({"routing.tablefile"}),
    "gateway.storage.settings": frozenset({"routing.tablefile"}),
    "gateway.simulator": frozenset({"gateway.net", "gateway.smpp"}),
    "gateway.testing": frozenset({"gateway.net", "gateway.smpp"}),
    "gateway.__main__": frozenset({"gateway.cli"}),
    "pytest_fetion_gateway": frozenset({"gateway.testing", "gateway.simulator"}),
}
"""What a module may import besides what LAYERS and SHARED allow it."""

UNSHARED = frozenset({"gateway.smpp", "gateway.clock", "gateway.secrets", "gateway.errors", "gateway.disk"})
"""Modules that import nothing of SHARED."""

ENGINES = ("gateway.storage.sqlite", "gateway.storage.memory", "gateway.storage.postgresql")
"""The packages of engines."""

COMMAND_LINE = ("gateway.cli", "gateway.testing", "gateway.__main__", "pytest_fetion_gateway")
"""Nobody imports these but themselves."""

LIBRARIES: dict[str, frozenset[str]] = {
    "routing": frozenset({"pydantic", "yaml"}),
    "commands": frozenset({"pydantic", "yaml", "rapidfuzz"}),
    "gateway.settings": frozenset({"pydantic", "yaml"}),
    "gateway.events.payloads": frozenset({"pydantic", "orjson"}),
    "gateway.events.mqtt": frozenset({"aiomqtt", "paho", "orjson"}),
    "gateway.operations.logs": frozenset({"structlog", "orjson"}),
    "gateway.operations.log_lines": frozenset({"orjson", "rich"}),
    "gateway.tables": frozenset({"yaml", "pydantic"}),
    "gateway.tables.xlsx": frozenset({"openpyxl"}),
    "gateway.secrets": frozenset({"argon2", "cryptography"}),
    "gateway.net.tls": frozenset({"cryptography"}),
    "gateway.storage": frozenset({"orjson"}),
    "gateway.storage.postgresql": frozenset({"orjson", "psycopg"}),
    "gateway.operations.control": frozenset({"orjson"}),
    "gateway.operations.console": frozenset({"starlette", "jinja2", "yaml", "pydantic"}),
    "gateway.operations.phrases": frozenset({"yaml"}),
    "gateway.operations.timeline": frozenset({"yaml"}),
    "gateway.operations.console.statistics.xlsx_file": frozenset({"xlsxwriter"}),
    "gateway.operations.metrics.exposition": frozenset({"prometheus_client"}),
    "gateway.operations.console.server": frozenset({"uvicorn"}),
    "gateway.operations.console.http": frozenset({"uvicorn"}),
    "gateway.operations.telemetry.exporting": frozenset({"opentelemetry"}),
    "gateway.operations.telemetry.settings": frozenset({"pydantic"}),
    "gateway.simulator": frozenset({"yaml", "pydantic", "pydantic_core"}),
    "gateway.simulator.smpplib_handset": frozenset({"smpplib"}),
    "gateway.cli.usage": frozenset({"rapidfuzz"}),
    "gateway.cli.progress": frozenset({"rich"}),
    "gateway.cli.completion": frozenset({"shtab"}),
    "gateway.simulator.layout": frozenset({"rich"}),
    "gateway.cli.tail": frozenset({"orjson", "rich"}),
    "gateway.testing": frozenset({"yaml"}),
    "pytest_fetion_gateway": frozenset({"pytest", "pytest_asyncio"}),
    **dict.fromkeys(("gateway.channels.smpp.settings", "gateway.storage.settings"), frozenset({"pydantic"})),
    **dict.fromkeys(("gateway.events.broker", "gateway.events.reading"), frozenset({"pydantic"})),
    **dict.fromkeys(("gateway.operations.event_log", "gateway.assembly"), frozenset({"structlog"})),
    "gateway.processing.pipeline": frozenset({"structlog"}),
    **dict.fromkeys(("gateway.cli.serve", "gateway.cli.demo"), frozenset({"uvloop"})),
}
"""Libraries from outside that a module may import; absent: none."""

PURE = ("gateway.smpp", "routing", "commands")
IMPURE = frozenset(
    {"asyncio", "socket", "ssl", "time", "random", "os", "secrets", "subprocess", "threading", "logging"}
)

BOUNDARIES = frozenset(
    {
        # The hops of an SMS: what a bug raises in one fails that SMS alone.
        ("gateway.channels.smpp.traffic", "submitted"),
        ("gateway.channels.smpp.requests", "_submit_one"),
        ("gateway.inbound.queue", "received"),
        ("gateway.inbound.hashing", "_prepare"),
        ("gateway.processing.recognition", "fresh"),
        ("gateway.processing.execution", "_load"),
        ("gateway.processing.execution", "_begin"),
        ("gateway.processing.execution", "_execute"),
        ("gateway.processing.execution", "_apology"),
        ("gateway.processing.execution", "_tell_incomplete"),
        ("gateway.processing.pipeline", "_commit"),
        ("gateway.processing.pipeline", "_work_alone"),
        ("gateway.processing.pipeline", "_work_part"),
        ("gateway.processing.pipeline", "_give_up"),
        ("gateway.processing.answers", "give"),
        ("gateway.processing.answers", "_accept"),
        ("gateway.processing.answers", "_tell"),
        ("gateway.outbound.leaving", "_transmit"),
        ("gateway.outbound.leaving", "_send"),
        ("gateway.outbound.receipts", "hand_in"),
        ("gateway.outbound.outbox", "sent"),
        ("gateway.outbound.outbox", "refused"),
        ("gateway.smpp.session", "_receive_frames"),
        ("gateway.net.listener", "received"),
        ("gateway.net.client", "received"),
        ("gateway.net.dialer", "_round"),  # the centre is dialled again
        # Beside the way of an SMS: it is said, and the gateway goes on.
        ("gateway.channels.smpp.watching", "incoming"),  # an operator's watch ends, the session goes on
        ("gateway.channels.smpp.watching", "outgoing"),
        ("gateway.channels.smpp.showing", "_shown"),
        ("gateway.events.relay", "run"),  # a bug of a consumer, or of its relay: the events come again
        ("gateway.events.relay", "_tidy"),
        ("gateway.events.relay", "_keep_running"),
        ("gateway.events.subscription", "run"),  # what handles messages: they come again
        ("gateway.processing.pipeline", "_work_for_provinces"),  # what is due is refused or dropped
        ("gateway.processing.pipeline", "_step"),
        ("gateway.processing.figures", "note"),  # counting: no SMS fails by it
        ("gateway.operations.figures.consumer", "_run"),  # a bug of it: the events come again
        ("gateway.operations.figures.mending", "_run"),  # a bug of it: the days stay marked
        ("gateway.processing.enquiries", "_run"),  # who asks hears that it failed
        ("gateway.lifecycle", "_tick"),
        ("gateway.observer", "tell"),
        ("gateway.operations.replay", "_execute"),
        ("gateway.operations.console.application", "_guarded"),  # a page fails, the gateway goes on
        # The tables that were read: they are not put in force.
        ("gateway.operations.tables", "_outcome"),
    }
)
"""Functions that may catch every Exception: where a bug in one message must not reach the next."""

KNOW_SMPP = tuple(f"gateway.{each}" for each in ("channels.smpp", "net", "smpp", "simulator", "testing"))
"""The packages that know SMPP, or speak it."""

BELOW_SMPP = frozenset({"gateway.net.acceptor", "gateway.net.admission", "gateway.net.tls"})
"""Modules of gateway.net that know sockets and no SMPP: ARROWS says who else may import them."""

SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER|PRAGMA|WITH)\s+[a-zA-Z_*(]")
"""How an SQL statement begins."""

MOST_LOOSE = 14
MOST_PARAMETERS = 7
LONGEST_FILE = 500
LONGEST_FUNCTION = 60
LONGEST_SLEEP = 0.05
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:root|work|home/\w+|Users/\w+)/")
