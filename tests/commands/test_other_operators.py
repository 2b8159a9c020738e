"""Senders of other operators: by their segment, or because their mobile was ported."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import routing.loader
import routing.ported
from commands.codes import Code
from commands.model import CustomerState, Result, Source
from commands.service import Commands
from routing.table import Routing
from tests.commands.in_memory import LI, WANG, ZHAO, InMemoryService, number_of_question, sentences

UNICOM, CAME = "13012345678", "13087654321"
PORTED = f"""# provenance: reconstructed, ground: a test
msisdn,province_code,operator
{LI},100,other
{CAME},571,cmcc
"""


@pytest.fixture(scope="module")
def ported(tmp_path_factory: pytest.TempPathFactory) -> Routing:
    """The shipped tables, and one mobile that left China Mobile and one that came."""
    folder = tmp_path_factory.mktemp("tables")
    for name in routing.loader.FILES:
        shutil.copyfile(Path(routing.loader.__file__).parent / name, folder / name)
    (folder / routing.ported.FILE).write_text(PORTED, encoding="utf-8")
    return Routing.load(folder)


@pytest.fixture
def service(routing: Routing) -> InMemoryService:
    """The service before anybody was ported."""
    return InMemoryService(Commands.load(routing), routing)


def port(service: InMemoryService, ported: Routing) -> None:
    """Use the tables with the ported mobiles from now on."""
    service.routing, service.commands = ported, Commands.load(ported)


@pytest.mark.parametrize("to", ["161", "12520", "10086", "12520050", "1252003300001", f"12520{WANG}"])
@pytest.mark.parametrize(
    "text", ["KTFX", "QXFX", "BZ", "是", "HY#13912345678", "你好", "QXFXX", "密码123456"]
)
def test_a_mobile_of_another_operator_gets_one_sentence(service: InMemoryService, text: str, to: str) -> None:
    """Whatever it writes to Fetion, and it opens nothing."""
    outcome = service.receive(UNICOM, text, to)
    assert (outcome.result, outcome.code) == (Result.REFUSED, Code.UNKNOWN_NUMBER)
    (reply,) = outcome.replies
    assert (reply.to, reply.sentence) == (UNICOM, "other_operator")
    assert (reply.source is Source.DIALLED) == (to == f"12520{WANG}")
    assert UNICOM not in service.customers


@pytest.mark.parametrize(
    ("to", "sentence"),
    [("125862", "place.voice"), ("125202001", "place.province"), ("12520055", "place.none")],
)
def test_places_that_are_not_fetion_answer_everybody(
    service: InMemoryService, to: str, sentence: str
) -> None:
    """A province's activity and the voice number are not for customers of Fetion alone."""
    assert sentences(service.receive(UNICOM, "8", to)) == [sentence]


def test_an_automatic_text_of_another_operator_is_not_answered(service: InMemoryService) -> None:
    """Else two machines would answer each other."""
    outcome = service.receive(UNICOM, "[自动回复]我正在开会，稍后联系您")
    assert (outcome.result, outcome.replies) == (Result.LIMITED, [])


def test_a_customer_who_was_ported_out_can_only_leave(service: InMemoryService, ported: Routing) -> None:
    """State, lists, help and cancelling work; what needs China Mobile gets one sentence. Then Fetion is
    closed to that mobile."""
    service.open(LI, WANG)
    service.befriend(LI, WANG)
    port(service, ported)
    for text in "KTFX", "P", "SP", f"HY#{ZHAO}", "FS#13912345678#你好", "NC#李", "HYLB", "QXFXX":
        outcome = service.receive(LI, text)
        assert (outcome.result, sentences(outcome)) == (Result.REFUSED, ["other_operator.open"]), text
    assert sentences(service.receive(LI, "你好", f"12520{WANG}")) == ["other_operator.open"]
    assert sentences(service.receive(LI, "CXFX")) == ["service.state.open"]
    assert sentences(service.receive(LI, "BZ")) == ["help"]
    assert sentences(service.receive(LI, "0000", "10086")) == ["service.list.fetion"]
    asked = service.receive(LI, "QXFX")
    service.receive(LI, "是", number_of_question(asked))
    assert service.customers[LI].state is CustomerState.CLOSED
    assert sentences(service.receive(LI, "KTFX")) == ["other_operator"]


def test_buddies_of_a_customer_who_was_ported_out(service: InMemoryService, ported: Routing) -> None:
    """For them the mobile is another operator's, whatever its segment says."""
    service.open(LI, WANG)
    service.befriend(LI, WANG)
    port(service, ported)
    for text, sentence in (
        (f"HY#{LI}", "buddy.foreign"),
        (f"YQ#{LI}", "buddy.invited.foreign"),
        (f"YY#{LI}", "voice.foreign"),
        (f"FS#{LI}#你好", "chat.foreign"),
        (f"SC#{LI}", "buddy.deleted"),
    ):
        assert sentences(service.receive(WANG, text)) == [sentence]


def test_a_mobile_that_was_ported_in_is_china_mobiles(service: InMemoryService, ported: Routing) -> None:
    """It opens, has the province of its row, and becomes a buddy; before it did not."""
    service.open(WANG)
    assert sentences(service.receive(CAME, "KTFX")) == ["other_operator"]
    port(service, ported)
    assert sentences(service.receive(CAME, "KTFX")) == ["service.opened"]
    assert ported.home(CAME) == "571"
    assert service.receive(WANG, f"HY#{CAME}").result is Result.ASKED
