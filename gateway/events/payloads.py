"""What leaves over MQTT: the models from which gateway/events/schemas/ is made, and how they are filled.

A payload is a JSON array of 1 to 50 items of its topic.
"""

import time
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from gateway.events.contract import StoredEvent
from gateway.message import message_id

ITEMS_MOST: Final = 50
"""Items of one payload."""

Moment = Annotated[
    str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", description="RFC 3339, UTC, milliseconds")
]


class Item(BaseModel):
    """What every item has."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_serialization_defaults_required=True)

    event_id: Annotated[str, Field(description="The same in each repetition: drop what you know.")]
    at: Moment
    node: Annotated[str, Field(description="The gateway that it comes from (node.name).")]


class Event(Item):
    """Something that happened to a customer, on fetion/events/{province}/{family}/{event}."""

    schema_: Annotated[Literal["fetion.event/1"], Field(alias="schema")] = "fetion.event/1"
    event: Annotated[str, Field(description="family/event, such as service/opened.")]
    msisdn: Annotated[str, Field(description="The customer's mobile number, 11 digits.")]
    fetion_number: Annotated[str, Field(description="The customer's Fetion number; empty: none.")]
    province: Annotated[str, Field(description="Of the mobile number; 000: unknown.")]
    version: Annotated[
        int, Field(ge=1, description="Counts the customer's events without gaps: order them by it.")
    ]
    cause_id: Annotated[str, Field(description="message_id of the SMS that led to it.")]
    data: Annotated[Mapping[str, Any], Field(description="What else belongs to this event.")]


class NodeState(Item):
    """Whether a gateway is there, retained on fetion/nodes/{node}/state."""

    schema_: Annotated[Literal["fetion.node_state/1"], Field(alias="schema")] = "fetion.node_state/1"
    state: Literal["up", "down"]
    reason: Annotated[
        Literal["connected", "stopped", "lost"],
        Field(description="lost: told by the broker; `at` is when the lost connection had begun."),
    ]


EVENTS: TypeAdapter[list[Event]] = TypeAdapter(
    Annotated[list[Event], Field(min_length=1, max_length=ITEMS_MOST, title="Payload of event")]
)
NODE_STATES: TypeAdapter[list[NodeState]] = TypeAdapter(
    Annotated[list[NodeState], Field(min_length=1, max_length=ITEMS_MOST, title="Payload of node_state")]
)
PAYLOADS: Final[Mapping[str, TypeAdapter[Any]]] = {"event": EVENTS, "node_state": NODE_STATES}
"""The payloads, by the name of their schema."""


def moment(ms: int) -> str:
    """Write a time."""
    seconds, rest = divmod(ms, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:03d}Z"


def event_item(event: StoredEvent, node: str) -> dict[str, object]:
    """Make the item of an event, as Event describes it.

    A plain one: to fill and write the model takes five times as long, half of what an SMS costs. The suite
    checks with the model every payload that it receives.
    """
    return {
        "schema": "fetion.event/1",
        "event_id": event.event_id,
        "at": moment(event.at),
        "node": node,
        "event": f"{event.family}/{event.name}",
        "msisdn": event.msisdn,
        "fetion_number": event.fetion_number,
        "province": event.province,
        "version": event.version,
        "cause_id": message_id(event.cause),
        "data": event.data,
    }


def node_state(node: str, ms: int, reason: str) -> bytes:
    """Make the payload that says whether a gateway is there. reason: as NodeState names it."""
    state = "up" if reason == "connected" else "down"
    item = {
        "schema": "fetion.node_state/1",
        "event_id": f"{node}-{ms}-{reason}",
        "at": moment(ms),
        "node": node,
        "state": state,
        "reason": reason,
    }
    return orjson.dumps([item])


def schema_of(name: str) -> dict[str, Any]:
    """Make the JSON Schema of a payload."""
    made = PAYLOADS[name].json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
