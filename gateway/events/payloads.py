"""What leaves over MQTT: the models from which gateway/events/schemas/ is made, and how they are filled.

A payload is a JSON array of 1 to 50 items of its topic.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, cast

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from gateway.events.contract import StoredEvent
from gateway.message import message_id

ITEMS_MOST: Final = 50
"""Items of one payload."""


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """An item of a province's payload that is not sent, or (position None) a whole payload.

    topic: on which it came. event_id: the same when the same payload comes again. id: None where it has none.
    """

    topic: str
    event_id: str
    position: int | None
    id: str | None
    reason: str


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
        int,
        Field(
            ge=0,
            description="Counts the customer's events without gaps: order them by it. 0: it does not count.",
        ),
    ]
    cause_id: Annotated[
        str, Field(description="message_id of the SMS that led to it; of the SMS itself in the family sms.")
    ]
    data: Annotated[Mapping[str, Any], Field(description="What else belongs to this event.")]


class NodeState(Item):
    """Whether a gateway is there, retained on fetion/nodes/{node}/state."""

    schema_: Annotated[Literal["fetion.node_state/1"], Field(alias="schema")] = "fetion.node_state/1"
    state: Literal["up", "down"]
    reason: Annotated[
        Literal["connected", "stopped", "lost"],
        Field(description="lost: told by the broker; `at` is when the lost connection had begun."),
    ]


class LinkState(Item):
    """Whether a link to an SMS centre is up, retained on fetion/links/{name}/state. It says nothing while its
    node is down."""

    schema_: Annotated[Literal["fetion.link_state/1"], Field(alias="schema")] = "fetion.link_state/1"
    link: Annotated[str, Field(description="Its name.")]
    state: Annotated[Literal["up", "down"], Field(description="up: all its binds stand.")]
    reason: Annotated[str | None, Field(description="Why it is down; null: it is up.")]


class NodeMoved(Item):
    """SMS were moved to a node, on its fetion/nodes/{node}/mt: it may look for them in the store at once."""

    schema_: Annotated[Literal["fetion.node_mt/1"], Field(alias="schema")] = "fetion.node_mt/1"
    sms: Annotated[int, Field(ge=1, description="How many; what counts is what the store has.")]


class ProvinceMo(Item):
    """An SMS to a province's own number, on fetion/province/{province}/mo."""

    schema_: Annotated[Literal["fetion.province_mo/1"], Field(alias="schema")] = "fetion.province_mo/1"
    message_id: Annotated[str, Field(description="Of the SMS; cause_id of an answer.")]
    msisdn: Annotated[str, Field(description="The handset that wrote it, 11 digits.")]
    destination: Annotated[str, Field(description="The number that it wrote to: 1612008.")]
    sub_code: Annotated[str, Field(description="The province's code in that number: 200.")]
    activity: Annotated[str, Field(description="The digits behind it, 0 to 5: 8.")]
    text: str
    reply_by: Annotated[Moment, Field(description="Unanswered then, the customer hears that nothing runs.")]


class ProvinceMt(BaseModel):
    """An SMS that a province's system sends, on fetion/province/{province}/mt."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    schema_: Annotated[Literal["fetion.province_mt/1"], Field(alias="schema")] = "fetion.province_mt/1"
    id: Annotated[
        str, Field(pattern=r"^[!-~]{1,64}$", description="The province's own: what comes again is dropped.")
    ]
    to: Annotated[str, Field(pattern=r"^[0-9]{11}$", description="The handset.")]
    text: Annotated[str, Field(min_length=1, description="No control characters but line feeds.")]
    cause_id: Annotated[
        str | None,
        Field(pattern=r"^[0-7][0-9a-f]{15}$", description="message_id of the SMS from that handset."),
    ] = None
    source: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9]{1,20}$",
            description="A number of the province's own. Else the one that the SMS of cause_id went to.",
        ),
    ] = None
    expires_in: Annotated[int | None, Field(ge=1, le=259_200, description="Seconds; else 72 hours.")] = None
    at: Annotated[
        str | None, Field(max_length=40, description="RFC 3339: when expires_in begins; else when it comes.")
    ] = None
    event_id: Annotated[str | None, Field(description="Not read.")] = None
    node: Annotated[str | None, Field(description="Not read.")] = None


class ProvinceRefused(Item):
    """An item of fetion/province/{province}/mt that is not sent, on fetion/province/{province}/mt/refused."""

    schema_: Annotated[Literal["fetion.province_refused/1"], Field(alias="schema")] = (
        "fetion.province_refused/1"
    )
    id: Annotated[str | None, Field(description="Of the item; null: it has none that can be read.")]
    position: Annotated[int | None, Field(description="In its array, from 0; null: nothing of it is sent.")]
    reason: Annotated[str, Field(description="What to change, for people.")]


EVENTS: TypeAdapter[list[Event]] = TypeAdapter(
    Annotated[list[Event], Field(min_length=1, max_length=ITEMS_MOST, title="Payload of event")]
)
NODE_STATES: TypeAdapter[list[NodeState]] = TypeAdapter(
    Annotated[list[NodeState], Field(min_length=1, max_length=ITEMS_MOST, title="Payload of node_state")]
)
LINK_STATES: TypeAdapter[list[LinkState]] = TypeAdapter(
    Annotated[list[LinkState], Field(min_length=1, max_length=ITEMS_MOST, title="Payload of link_state")]
)
NODE_MOVED: TypeAdapter[list[NodeMoved]] = TypeAdapter(
    Annotated[list[NodeMoved], Field(min_length=1, max_length=ITEMS_MOST, title="Payload of node_mt")]
)
PROVINCE_MO: TypeAdapter[list[ProvinceMo]] = TypeAdapter(
    Annotated[list[ProvinceMo], Field(min_length=1, max_length=ITEMS_MOST, title="Payload of province_mo")]
)
PROVINCE_MT: TypeAdapter[list[ProvinceMt]] = TypeAdapter(
    Annotated[list[ProvinceMt], Field(min_length=1, max_length=ITEMS_MOST, title="Payload of province_mt")]
)
PROVINCE_REFUSED: TypeAdapter[list[ProvinceRefused]] = TypeAdapter(
    Annotated[
        list[ProvinceRefused], Field(min_length=1, max_length=ITEMS_MOST, title="Payload of province_refused")
    ]
)
PAYLOADS: Final[Mapping[str, TypeAdapter[Any]]] = {
    "event": EVENTS,
    "link_state": LINK_STATES,
    "node_mt": NODE_MOVED,
    "node_state": NODE_STATES,
    "province_mo": PROVINCE_MO,
    "province_mt": PROVINCE_MT,
    "province_refused": PROVINCE_REFUSED,
}
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


def mo_item(event: StoredEvent, node: str) -> dict[str, object]:
    """Make the item of an SMS to a province, as ProvinceMo describes it."""
    data = event.data
    return {
        "schema": "fetion.province_mo/1",
        "event_id": event.event_id,
        "at": moment(event.at),
        "node": node,
        "message_id": message_id(event.cause),
        "msisdn": event.msisdn,
        "destination": data["destination"],
        "sub_code": data["sub_code"],
        "activity": data["activity"],
        "text": data["text"],
        "reply_by": moment(cast("int", data["reply_by"])),
    }


def refusals(items: Sequence[RefusedItem], node: str, ms: int) -> Iterator[tuple[str, bytes]]:
    """Make the payloads that tell what was refused, each with its topic."""
    by_topic: dict[str, list[dict[str, object]]] = {}
    for each in items:
        by_topic.setdefault(f"{each.topic}/refused", []).append(
            {
                "schema": "fetion.province_refused/1",
                "event_id": each.event_id,
                "at": moment(ms),
                "node": node,
                "id": each.id,
                "position": each.position,
                "reason": each.reason,
            }
        )
    for topic, told in by_topic.items():
        for first in range(0, len(told), ITEMS_MOST):
            yield topic, orjson.dumps(told[first : first + ITEMS_MOST])


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


def link_state(node: str, link: str, ms: int, reason: str) -> bytes:
    """Make the payload that says whether a link is up. reason: why it is down, "": it is up."""
    state = "down" if reason else "up"
    item = {
        "schema": "fetion.link_state/1",
        "event_id": f"{node}-{ms}-{link}-{state}",
        "at": moment(ms),
        "node": node,
        "link": link,
        "state": state,
        "reason": reason or None,
    }
    return orjson.dumps([item])


def node_moved(node: str, ms: int, to: str, sms: int) -> bytes:
    """Make the payload that says how many SMS were moved to a node. to: its name."""
    item = {
        "schema": "fetion.node_mt/1",
        "event_id": f"{node}-{ms}-{to}",
        "at": moment(ms),
        "node": node,
        "sms": sms,
    }
    return orjson.dumps([item])


def schema_of(name: str) -> dict[str, Any]:
    """Make the JSON Schema of a payload."""
    made = PAYLOADS[name].json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
