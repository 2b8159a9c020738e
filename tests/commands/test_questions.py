"""Questions: serials, how long closed ones are kept, and which one expires when there are too many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.handlers import questions
from commands.handlers.questions import EXPIRED, HOUR, KEPT_CLOSED, KEPT_FOR, LAST_SERIAL
from commands.model import Customer, Given, Question, ServiceLimits

NOW = 1_174_000_000_000


def at(now: int, **limits: int) -> Given:
    """A Given at this time with these limits."""
    return Given(now, "0" * 16, limits=ServiceLimits(**limits))


def test_serials_count_up_and_wrap() -> None:
    """Serials run from 1 to 99999 and start again."""
    customer = Customer("13800138000")
    assert questions.ask(customer, "a", "161", at(NOW)).serial == 1
    assert questions.ask(customer, "b", "161", at(NOW)).serial == 2
    customer.last_serial = LAST_SERIAL
    assert questions.ask(customer, "c", "161", at(NOW)).serial == 3
    assert questions.serial_text(customer.questions[0]) == "00001"


def test_remembered_serials_are_not_used_again() -> None:
    """A new question never gets the serial of an open or a kept closed one."""
    customer = Customer("13800138000", last_serial=LAST_SERIAL - 1)
    for kind in "abc":
        questions.ask(customer, kind, "161", at(NOW))
    questions.close(customer, 1, "no")
    customer.last_serial = LAST_SERIAL
    assert questions.ask(customer, "d", "161", at(NOW)).serial == 3


def test_closed_questions_are_forgotten() -> None:
    """At most 20 closed questions are kept, for 7 days at most; open ones always."""
    customer = Customer("13800138000")
    given = at(NOW)
    for number in range(30):
        questions.close(customer, questions.ask(customer, f"kind {number}", "161", given).serial, "yes")
    questions.ask(customer, "open", "161", given)
    assert len(customer.questions) == KEPT_CLOSED + 1
    late = at(NOW + KEPT_FOR, question_hours=1)
    questions.ask(customer, "new", "161", late)
    assert [question.kind for question in customer.questions] == ["new"]


def test_the_oldest_gives_way() -> None:
    """When too many questions are open, the oldest expires."""
    customer = Customer("13800138000")
    given = at(NOW, open_questions=2)
    for kind in "abc":
        questions.ask(customer, kind, "161", given)
    assert [(each.kind, each.closed) for each in customer.questions] == [("a", EXPIRED), ("b", ""), ("c", "")]
    assert not questions.may_ask(customer, given)


def test_find_looks_at_kind_other_side_and_time() -> None:
    """An open question is found by kind and other customer, until its deadline."""
    customer = Customer("13800138000")
    asked = questions.ask(customer, "buddy.add", "161", at(NOW, question_hours=2), about="13912345678")
    assert questions.find(customer, "buddy.add", "13912345678", NOW) is asked
    assert questions.find(customer, "buddy.add", "", NOW) is None
    assert questions.find(customer, "service.cancel", "13912345678", NOW) is None
    assert questions.find(customer, "buddy.add", "13912345678", NOW + 2 * HOUR) is None


@pytest.mark.parametrize(("left", "hours"), [(1, "1"), (HOUR, "1"), (HOUR + 1, "2"), (24 * HOUR, "24")])
def test_hours_left_are_rounded_up(left: int, hours: str) -> None:
    """The SMS says how many hours are left, rounded up, and is sent from the question's number."""
    question = Question(42, "a", "10086", "", "", NOW, NOW + left)
    sms = questions.sms("13800138000", "question.reminder", question, NOW)
    assert (sms.values, sms.detail) == ({"hours": hours}, "10086:00042")


STEPS = st.lists(st.tuples(st.sampled_from(["ask", "close", "wait"]), st.integers(0, 30)), max_size=60)


@given(steps=STEPS, last=st.sampled_from([0, LAST_SERIAL - 5]))
def test_whatever_happens(steps: list[tuple[str, int]], last: int) -> None:
    """In any order of events, serials are unique and the numbers of open and closed questions bounded."""
    customer, now = Customer("13800138000", last_serial=last), NOW
    for step, number in steps:
        if step == "ask":
            question = questions.ask(customer, f"kind {number}", "161", at(now, open_questions=5))
            assert question.is_open(now)
            assert customer.questions[-1] is question
        elif step == "close" and customer.questions:
            questions.close(customer, customer.questions[number % len(customer.questions)].serial, "yes")
        else:
            now += number * HOUR
        serials = [question.serial for question in customer.questions]
        assert len(serials) == len(set(serials))
        assert all(1 <= serial <= LAST_SERIAL for serial in serials)
        assert len(questions.open_questions(customer, now)) <= 5
        assert len(customer.questions) <= 5 + KEPT_CLOSED + 1
