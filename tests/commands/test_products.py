"""Products: order, charge and cancel matching; choose from the list; cancel everything."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from commands.charging import FETION, MATCHING
from commands.handlers.people import MATCHED_FOR
from commands.model import Buddy, CustomerState, Order, ProductFact, Result, ServiceLimits, Source
from commands.service import Commands
from routing.table import Routing
from tests.commands.in_memory import (
    LI,
    START,
    SUN,
    WANG,
    ZHAO,
    InMemoryService,
    number_of_question,
    sentences,
)
from tests.commands.script_products import give_up, open_all, order

CHINA = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def service(commands: Commands, routing: Routing) -> InMemoryService:
    """Nobody has opened; the time zone is China's."""
    return InMemoryService(commands, routing, zone=CHINA)


def at(service: InMemoryService, text: str) -> None:
    """Set the clock: "2007-02-28 10:00" in China."""
    service.now = round(datetime.fromisoformat(text).replace(tzinfo=CHINA).timestamp() * 1000)


def test_opening_fetion_is_a_charging_record(service: InMemoryService) -> None:
    """KTFX and QXFX give an order and a cancellation of IIC, which is free."""
    opened = service.receive(LI, "KTFX")
    assert opened.facts == [ProductFact(LI, FETION, "order", START)]
    asked = service.receive(LI, "QXFX")
    assert asked.facts == []
    gone = service.receive(LI, "是")
    assert gone.facts == [ProductFact(LI, FETION, "cancel", START + 2000)]
    assert service.customers[LI].state is CustomerState.CLOSED


def test_matching_is_asked_and_then_ordered(service: InMemoryService) -> None:
    """KTFXJY names price and free hours; 是 orders, answered from 034, with a record of the trial."""
    service.open(LI)
    asked = service.receive(LI, "KTFXJY", "10086")
    assert (asked.result, asked.facts) == (Result.ASKED, [])
    assert "每月5元" in service.texts(asked)[0]
    assert "72小时" in service.texts(asked)[0]
    assert not service.customers[LI].has(MATCHING)
    since = service.now
    done = service.receive(LI, "是", number_of_question(asked))
    assert (done.result, sentences(done)) == (Result.DONE, ["matching.opened"])
    assert done.replies[0].source is Source.OPENING
    assert done.facts == [ProductFact(LI, MATCHING, "order", since, trial=True)]
    assert [(event.family, event.name) for event in done.events] == [("matching", "opened")]
    assert service.customers[LI].orders == (Order(MATCHING, since),)
    assert sentences(service.receive(LI, "KTFXJY")) == ["matching.open.already"]


def test_matching_declined_orders_nothing(service: InMemoryService) -> None:
    """否, or no answer in time, orders nothing; while the question is open, it is sent again."""
    service.open(LI)
    asked = service.receive(LI, "KTFXJY")
    again = service.receive(LI, "KTFXJY", "10086")
    assert number_of_question(again) == number_of_question(asked)
    declined = service.receive(LI, "否", number_of_question(asked))
    assert (sentences(declined), declined.facts) == (["matching.open.declined"], [])
    late = number_of_question(service.receive(LI, "KTFXJY"))
    service.pass_hours(24)
    assert sentences(service.receive(LI, "是", late)) == ["answer.late"]
    assert service.customers[LI].orders == ()


def test_matching_needs_fetion(service: InMemoryService) -> None:
    """Without Fetion, KTFXJY and SP are answered with KTFX, and there is nothing to cancel."""
    for text in ("KTFXJY", "SP"):
        outcome = service.receive(LI, text)
        assert (outcome.result, sentences(outcome)) == (Result.REFUSED, ["not_open"])
        assert "KTFX" in service.texts(outcome)[0]
    assert sentences(service.receive(LI, "QXFXJY", "10086")) == ["matching.cancel.not_open"]
    service.open(LI)
    assert sentences(service.receive(LI, "QXFXJY")) == ["matching.cancel.not_open"]


def test_cancelled_in_the_free_hours(service: InMemoryService) -> None:
    """A first order that ends within 72 hours and its month is free, and the reply says so."""
    at(service, "2007-03-10 10:00")
    open_all(service, LI)
    at(service, "2007-03-13 09:00")
    gone = give_up(service, LI)
    assert (sentences(gone), [fact.trial for fact in gone.facts]) == (["matching.cancelled.free"], [True])
    again = service.receive(LI, "KTFXJY")
    assert sentences(again) == ["matching.open.question"]
    ordered = service.receive(LI, "是", number_of_question(again))
    assert [fact.trial for fact in ordered.facts] == [False]
    gone = give_up(service, LI)
    assert (sentences(gone), [fact.trial for fact in gone.facts]) == (["matching.cancelled"], [False])


def test_the_free_hours_end_with_the_month(service: InMemoryService) -> None:
    """Ordered on 28 February 2007 and cancelled on 1 March: the record is no trial."""
    at(service, "2007-02-28 10:00")
    open_all(service, LI)
    at(service, "2007-03-01 09:00")
    gone = give_up(service, LI)
    assert (sentences(gone), [fact.trial for fact in gone.facts]) == (["matching.cancelled"], [False])


def test_cancelling_can_be_declined(service: InMemoryService) -> None:
    """否 to the question of QXFXJY keeps matching."""
    open_all(service, LI)
    asked = service.receive(LI, "QXFXJY")
    assert sentences(service.receive(LI, "否", number_of_question(asked))) == ["matching.cancel.kept"]
    assert service.customers[LI].has(MATCHING)


def test_cancelling_fetion_cancels_matching(service: InMemoryService) -> None:
    """QXFX ends matching too, with a record each; after KTFX again, the next order is not the first."""
    open_all(service, LI)
    gone = service.receive(LI, "是", number_of_question(service.receive(LI, "QXFX", "10086")))
    assert sentences(gone) == ["service.cancelled.all"]
    assert [(fact.product, fact.operation) for fact in gone.facts] == [
        (FETION, "cancel"),
        (MATCHING, "cancel"),
    ]
    assert [(event.family, event.name) for event in gone.events] == [
        ("service", "cancelled"),
        ("matching", "cancelled"),
    ]
    service.open(LI)
    assert not service.customers[LI].has(MATCHING)
    assert sentences(service.receive(LI, "KTFXJY")) == ["matching.open.question"]


def test_the_state_names_products_and_what_is_left(service: InMemoryService) -> None:
    """CXFX shows the products and how many messages are left, by day or by month."""
    service.open(LI)
    assert sentences(service.receive(LI, "CXFX")) == ["service.state.open"]
    open_all(service, WANG)
    service.befriend(WANG, LI)
    service.limits = ServiceLimits(sms_per_day=3, sms_per_month=4)
    outcome = service.receive(WANG, "CXFX")
    assert sentences(outcome) == ["service.state.matching"]
    left = [outcome.replies[0].values]
    for hours in (0, 0, 24, 24):
        service.pass_hours(hours)
        service.receive(WANG, "你好", f"12520{LI}")
        left.append(service.receive(WANG, "CXFX").replies[0].values)
    assert [values and values["count"] for values in left] == ["3", "2", "1", "1", "0"]


def test_the_list(service: InMemoryService) -> None:
    """0000 lists the products with serials and prices; without products no list is open."""
    assert sentences(service.receive(LI, "0000", "10086")) == ["service.list.none"]
    assert sentences(service.receive(LI, "1", "10086")) == ["service.list.closed"]
    service.open(LI)
    assert sentences(service.receive(LI, "0000", "10086")) == ["service.list.fetion"]
    order(service, LI)
    outcome = service.receive(LI, "0000", "10086")
    assert sentences(outcome) == ["service.list.matching"]
    assert "2飞信交友，每月5元" in service.texts(outcome)[0]


@pytest.mark.parametrize(
    ("serial", "sentence", "left"),
    [("2", "matching.cancelled.free", [FETION]), ("02", "matching.cancelled.free", [FETION]),
     ("1", "service.cancelled.all", [])],
)  # fmt: skip
def test_a_serial_cancels(serial: str, sentence: str, left: list[str], service: InMemoryService) -> None:
    """A serial of the open list cancels that product at once and closes the list."""
    open_all(service, LI)
    service.receive(LI, "0000", "10086")
    outcome = service.receive(LI, serial, "10086")
    assert (outcome.result, sentences(outcome)) == (Result.DONE, [sentence])
    customer = service.customers[LI]
    assert [FETION] * (customer.state is CustomerState.OPEN) + [MATCHING] * customer.has(MATCHING) == left
    assert sentences(service.receive(LI, serial, "10086")) == ["service.list.closed"]


def test_a_wrong_serial_cancels_nothing(service: InMemoryService) -> None:
    """A serial that is not on the customer's list is refused, and the list stays open."""
    service.open(LI)
    service.receive(LI, "0000", "10086")
    for serial in ("0", "2", "3", "10", "99"):
        assert sentences(service.receive(LI, serial, "10086")) == ["service.list.unknown"]
    assert service.customers[LI].state is CustomerState.OPEN
    assert sentences(service.receive(LI, "1", "10086")) == ["service.cancelled"]


def test_the_list_is_open_for_two_hours(service: InMemoryService) -> None:
    """After limits.list_hours a serial cancels nothing; a new list can be used."""
    service.open(LI)
    service.receive(LI, "0000", "10086")
    listed_at = service.now - 1000
    service.now = listed_at + 2 * 3_600_000
    assert sentences(service.receive(LI, "1", "10086")) == ["service.list.closed"]
    service.receive(LI, "0000", "10086")
    service.now += 2 * 3_600_000 - 1001
    assert sentences(service.receive(LI, "1", "10086")) == ["service.cancelled"]


def test_the_place_tells_serials_from_answers(service: InMemoryService) -> None:
    """1 at 10086 chooses from the list; at a question's number and at 12520 it answers the question."""
    service.open(LI)
    asked = number_of_question(service.receive(LI, "KTFXJY", "10086"))
    service.receive(LI, "0000", "10086")
    assert sentences(service.receive(LI, "0", "10086")) == ["service.list.unknown"]
    assert sentences(service.receive(LI, "1", asked)) == ["matching.opened"]
    assert sentences(service.receive(LI, "1", "12520")) == ["answer.none"]
    service.receive(LI, "QXFXJY")
    assert sentences(service.receive(LI, "1", "12520")) == ["matching.cancelled.free"]
    assert service.customers[LI].state is CustomerState.OPEN


def test_a_cancelled_customers_list_is_closed(service: InMemoryService) -> None:
    """After QXFX and KTFX a serial of the earlier list cancels nothing."""
    service.open(LI)
    service.receive(LI, "0000", "10086")
    service.receive(LI, "是", number_of_question(service.receive(LI, "QXFX")))
    service.open(LI)
    assert sentences(service.receive(LI, "1", "10086")) == ["service.list.closed"]
    assert service.customers[LI].state is CustomerState.OPEN


def test_a_list_answer_closes_the_question(service: InMemoryService) -> None:
    """Cancelling matching from the list closes the open question of QXFXJY."""
    open_all(service, LI)
    asked = number_of_question(service.receive(LI, "QXFXJY"))
    service.receive(LI, "0000", "10086")
    service.receive(LI, "2", "10086")
    assert sentences(service.receive(LI, "是", asked)) == ["answer.late"]


def test_cancel_all(service: InMemoryService) -> None:
    """00000 asks first; 是 cancels Fetion and matching, 否 keeps both; without Fetion it is refused."""
    assert sentences(service.receive(LI, "00000")) == ["service.cancel.not_open"]
    open_all(service, LI)
    asked = service.receive(LI, "00000")
    assert (asked.result, asked.facts) == (Result.ASKED, [])
    assert number_of_question(service.receive(LI, "00000")) == number_of_question(asked)
    assert sentences(service.receive(LI, "否", number_of_question(asked))) == ["service.cancel.kept"]
    asked = service.receive(LI, "00000")
    gone = service.receive(LI, "是", number_of_question(asked))
    assert sentences(gone) == ["service.cancelled.all"]
    assert len(gone.facts) == 2
    assert service.customers[LI].state is CustomerState.CLOSED


def test_found(service: InMemoryService) -> None:
    """SP returns a Fetion number and no mobile; the other is not told, and both may write for a time."""
    open_all(service, LI, WANG)
    found = service.receive(LI, "SP")
    assert (found.result, [reply.to for reply in found.replies]) == (Result.DONE, [LI])
    text, number = service.texts(found)[0], service.customers[WANG].fetion_number
    assert f"12520{number}" in text
    assert WANG not in text
    outcome = service.receive(LI, "你好", f"12520{number}")
    assert (outcome.result, outcome.replies[0].to) == (Result.CHAT, WANG)
    mine = outcome.replies[0].detail
    assert mine == service.customers[LI].fetion_number
    answered = service.receive(WANG, "你好呀", f"12520{mine}")
    assert (answered.result, answered.replies[0].to) == (Result.CHAT, LI)
    service.now += MATCHED_FOR
    assert sentences(service.receive(LI, "还在吗", f"12520{number}")) == ["chat.not_buddy"]
    assert (service.customers[LI].buddies, service.customers[WANG].buddies) == (0, 0)


def test_who_is_not_found(service: InMemoryService) -> None:
    """Not found: the sender, buddies, who blocks, is blocked, refuses SMS, or has not opened."""
    open_all(service, LI)
    assert sentences(service.receive(LI, "SP")) == ["matching.find.none"]
    open_all(service, WANG)
    for owner, other in ((LI, WANG), (WANG, LI)):
        service.buddies = {(owner, other): Buddy(owner, other, "", 0, blocked=True)}
        assert sentences(service.receive(LI, "SP")) == ["matching.find.none"]
    service.buddies = {}
    service.customers[WANG].refuse_until = service.now + 10_000
    assert sentences(service.receive(LI, "SP")) == ["matching.find.none"]
    service.pass_hours(1)
    assert sentences(service.receive(LI, "SP")) == ["matching.found"]
    service.befriend(LI, WANG)
    assert sentences(service.receive(LI, "SP")) == ["matching.find.none"]
    service.customers[SUN] = service.customers[WANG].copy()
    service.customers[SUN].msisdn, service.customers[SUN].state = SUN, CustomerState.SUSPENDED
    assert sentences(service.receive(LI, "SP")) == ["matching.find.none"]


def test_matching_is_needed_to_find(service: InMemoryService) -> None:
    """SP without matching is answered with its price and KTFXJY, and matches nobody."""
    service.open(LI)
    open_all(service, WANG)
    outcome = service.receive(LI, "SP")
    assert (outcome.result, sentences(outcome)) == (Result.REFUSED, ["matching.needed"])
    assert "5元" in service.texts(outcome)[0]
    assert service.buddies == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SP#女", True), ("SP#F", True), ("SP#男", False), ("SP#22", True), ("SP#20-22", True),
        ("SP#23-30", False), ("SP#女#18到25", True), ("SP#男#18到25", False),
    ],
)  # fmt: skip
def test_conditions(text: str, found: bool, service: InMemoryService) -> None:
    """Sex and age are compared with the candidate: WANG, a woman of 22 in 2007."""
    open_all(service, LI, WANG)
    service.customers[WANG].sex, service.customers[WANG].born = "f", 1985
    expected = "matching.found" if found else "matching.find.none"
    assert sentences(service.receive(LI, text)) == [expected]


def test_what_is_not_known_fits_no_wish(service: InMemoryService) -> None:
    """A candidate without sex and year of birth is found only without such conditions."""
    open_all(service, LI, WANG)
    for text in ("SP#女", "SP#男", "SP#20-30"):
        assert sentences(service.receive(LI, text)) == ["matching.find.none"]
    assert sentences(service.receive(LI, "SP")) == ["matching.found"]


def test_the_province_is_that_of_the_number(service: InMemoryService, routing: Routing) -> None:
    """A province selects customers by the home of their mobile."""
    open_all(service, LI, WANG)
    home = routing.provinces[routing.home(WANG)]
    elsewhere = next(each for each in routing.provinces.values() if each.code not in {home.code, "000"})
    assert sentences(service.receive(LI, f"SP#{elsewhere.zh}")) == ["matching.find.none"]
    assert sentences(service.receive(LI, f"SP#{home.zh}")) == ["matching.found"]


HANDSETS = (LI, WANG, ZHAO)
SAY = (
    ("KTFX", "12520"), ("KTFXJY", "10086"), ("QXFXJY", "10086"), ("QXFX", "12520"), ("00000", "12520"),
    ("0000", "10086"), ("1", "10086"), ("2", "10086"), ("是", "12520"), ("否", "12520"), ("是", "1008619"),
    ("SP", "12520"),
)  # fmt: skip


class Products(RuleBasedStateMachine):
    """Three handsets order and cancel in any order; their charging records are the model."""

    routing = Routing.load()
    commands = Commands.load(routing)

    @initialize()
    def begin(self) -> None:
        """Nobody has opened."""
        self.service = InMemoryService(self.commands, self.routing, zone=CHINA)
        self.facts: list[ProductFact] = []

    @rule(sender=st.sampled_from(HANDSETS), sms=st.sampled_from(SAY))
    def says(self, sender: str, sms: tuple[str, str]) -> None:
        """One SMS; a question changes no product."""
        outcome = self.service.receive(sender, *sms)
        assert not (outcome.facts and outcome.result is not Result.DONE)
        self.facts += outcome.facts

    @rule(hours=st.sampled_from([1, 3, 25, 80, 800]))
    def waits(self, hours: int) -> None:
        """Time passes."""
        self.service.pass_hours(hours)

    @invariant()
    def records_tell_who_has_what(self) -> None:
        """Orders and cancellations alternate, and the last one agrees with the state; matching needs
        Fetion."""
        for sender in HANDSETS:
            customer = self.service.customers.get(sender)
            for product in (FETION, MATCHING):
                mine = [
                    fact.operation for fact in self.facts if (fact.msisdn, fact.product) == (sender, product)
                ]
                assert mine == ["order", "cancel"] * (len(mine) // 2) + ["order"] * (len(mine) % 2)
                has = customer is not None and (
                    customer.state is CustomerState.OPEN if product == FETION else customer.has(product)
                )
                assert has == bool(len(mine) % 2)
            assert customer is None or customer.state is CustomerState.OPEN or not customer.has(MATCHING)

    @invariant()
    def only_the_first_order_is_free(self) -> None:
        """Each customer has one trial of matching."""
        for sender in HANDSETS:
            orders = [f for f in self.facts if f.msisdn == sender and f.product == MATCHING]
            trials = [fact.trial for fact in orders if fact.operation == "order"]
            assert trials == [True] * bool(trials) + [False] * (len(trials) - 1)


Products.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestProducts = Products.TestCase
