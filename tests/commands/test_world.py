"""World: copy on write, accept, drop, and the keys to load."""

from collections.abc import Callable

import pytest

from commands.keys import keys_of
from commands.model import Buddy, Customer, CustomerState, LoadKeys, Missing, World
from commands.service import Commands
from routing.table import Routing

LI, WANG = "13800138000", "13912345678"


@pytest.fixture
def world() -> World:
    """Li has opened, Wang was looked up and is not known."""
    world = World()
    world.customers = {LI: Customer(LI, CustomerState.OPEN, "400000001"), WANG: None}
    world.holders = {"400000001": LI, "400000002": None}
    world.buddies = {(LI, WANG): None}
    return world


def test_edit_copies(world: World) -> None:
    """A change is made on a copy, seen by later reads of the message, and leaves what was loaded alone."""
    loaded = world.customers[LI]
    mine = world.edit(LI)
    mine.buddies = 7
    assert world.edit(LI) is mine
    assert world.customer(LI) is mine
    assert loaded is not None
    assert loaded.buddies == 0


def test_drop_forgets(world: World) -> None:
    """After drop the world is as before the message."""
    world.edit(LI).buddies = 7
    world.edit(WANG).state = CustomerState.OPEN
    world.assign("400000002", WANG)
    world.put_buddy(Buddy(LI, WANG, "", 1))
    world.drop()
    customer = world.customer(LI)
    assert customer is not None
    assert customer.buddies == 0
    assert world.customer(WANG) is None
    assert world.holder("400000002") is None
    assert world.buddy(LI, WANG) is None
    assert (world.changed_customers, world.changed_buddies) == ({}, {})


def test_accept_keeps(world: World) -> None:
    """After accept the next message of the batch sees the change, and the commit knows what to write."""
    world.edit(LI).buddies = 7
    world.assign("400000002", WANG)
    world.put_buddy(Buddy(LI, WANG, "", 1))
    world.accept()
    world.drop()
    customer = world.customer(LI)
    assert customer is not None
    assert customer.buddies == 7
    assert world.holder("400000002") == WANG
    assert world.changed_customers == {LI: customer}
    assert set(world.changed_buddies) == {(LI, WANG)}
    world.remove_buddy(LI, WANG)
    world.accept()
    assert world.changed_buddies == {(LI, WANG): None}
    world.edit(LI).buddies = 8
    assert customer.buddies == 7


@pytest.mark.parametrize("how", ["customer", "edit", "holder", "buddy"])
def test_missing_names_the_key(world: World, how: str) -> None:
    """Reading what was not loaded raises Missing with its key; None is a valid loaded value."""
    reads: dict[str, tuple[Callable[[], object], LoadKeys]] = {
        "customer": (lambda: world.customer("1"), LoadKeys(customers={"1"})),
        "edit": (lambda: world.edit("1"), LoadKeys(customers={"1"})),
        "holder": (lambda: world.holder("1"), LoadKeys(holders={"1"})),
        "buddy": (lambda: world.buddy("1", "2"), LoadKeys(buddies={("1", "2"), ("2", "1")})),
    }
    read, keys = reads[how]
    with pytest.raises(Missing) as missing:
        read()
    assert missing.value.keys == keys


@pytest.mark.parametrize(
    ("text", "to", "expected"),
    [
        ("KTFX", "161", LoadKeys({LI})),
        ("nonsense", "161", LoadKeys({LI})),
        (f"HY#{WANG}", "161", LoadKeys({LI, WANG}, set(), {(LI, WANG), (WANG, LI)})),
        ("HY#400000001", "161", LoadKeys({LI}, {"400000001"})),
        ("hi", f"12520{WANG}", LoadKeys({LI, WANG}, set(), {(LI, WANG), (WANG, LI)})),
        ("hi", "12520400000001", LoadKeys({LI}, {"400000001"})),
        ("是", "1252003300001", LoadKeys({LI})),
    ],
)
def test_keys(text: str, to: str, expected: LoadKeys, commands: Commands, routing: Routing) -> None:
    """The sender, and the person named with the relation in both directions."""
    understood = commands.parser.parse(text, routing.resolve(to), LI)
    assert keys_of(understood) == expected


def test_keys_of_drawn_numbers(commands: Commands, routing: Routing) -> None:
    """Drawn Fetion numbers are loaded before the first run."""
    understood = commands.parser.parse("KTFX", routing.resolve("161"), LI)
    assert keys_of(understood, ("400000001",)) == LoadKeys({LI}, {"400000001"})
