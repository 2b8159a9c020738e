"""A handset that uses smpplib's client instead of ours: proof that a foreign SMPP client works unchanged.

This is the only file that imports smpplib. Its client blocks, so each step runs in a worker thread.
"""

import asyncio
import logging
import select
import socket
import time
from collections.abc import Callable
from typing import Any, Final

import smpplib.client
import smpplib.exceptions

from gateway.simulator.errors import (
    BindRefusedError,
    CannotSendError,
    MailboxFullError,
    NoResponseError,
    NotConnectedError,
    SubmitRefusedError,
)
from gateway.simulator.handset import SPELLINGS, Account, Spelling
from gateway.simulator.sms import (
    AUTO,
    Expectation,
    Mailbox,
    MissedError,
    Received,
    Sms,
    UnexpectedError,
    encode,
)
from gateway.smpp.coding import Alphabet
from gateway.smpp.long import (
    MESSAGE_PAYLOAD,
    SAR_MSG_REF_NUM,
    SAR_SEGMENT_SEQNUM,
    SAR_TOTAL_SEGMENTS,
    BrokenUdhError,
    Segment,
)
from gateway.smpp.status import CommandStatus, name_of

_RESPONSE_TIMER: Final = 10.0
_E164: Final = 1
_TLVS: Final = (
    ("message_payload", MESSAGE_PAYLOAD),
    ("sar_msg_ref_num", SAR_MSG_REF_NUM),
    ("sar_total_segments", SAR_TOTAL_SEGMENTS),
    ("sar_segment_seqnum", SAR_SEGMENT_SEQNUM),
)

_logger = logging.getLogger("smpplib.client")
_logger.addHandler(logging.NullHandler())  # its errors reach us as exceptions


class SmpplibHandset:
    """One handset with a bind of its own, whose address_range is its number. One step at a time.

    watch is called, in a worker thread, with each SMS that leaves the handset or has come to it.
    """

    def __init__(
        self, account: Account, msisdn: str, spelling: Spelling, watch: Callable[[Sms], None] | None
    ) -> None:
        self.msisdn = msisdn
        self._account = account
        self._prefix, self._ton = SPELLINGS[spelling]
        self._watch = watch
        self._alphabet = Alphabet.from_config({}, "gsm")
        self._mailbox = Mailbox(msisdn, self._alphabet)
        self._reference = 0
        self._answers: dict[int, tuple[int, str]] = {}  # sequence number -> command_status, message id
        self._client = smpplib.client.Client(
            account.host, account.port, logger_name=_logger.name, allow_unknown_opt_params=True
        )
        self._client.set_message_received_handler(self._delivered)
        # smpplib shows an error response to both handlers, a generic_nack to the second only.
        self._client.set_message_sent_handler(self._answered)
        self._client.set_error_pdu_handler(self._answered)

    @classmethod
    async def connect(
        cls,
        account: Account,
        msisdn: str,
        *,
        spelling: Spelling = "national",
        watch: Callable[[Sms], None] | None = None,
    ) -> "SmpplibHandset":
        """Connect and bind. Raises NotConnectedError, BindRefusedError, CannotSendError."""
        _check_length("system_id", account.system_id, 15)
        _check_length("password", account.password, 8)
        handset = cls(account, msisdn, spelling, watch)
        await asyncio.to_thread(handset._bind)
        return handset

    async def __aenter__(self) -> "SmpplibHandset":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def send(self, text: str, to: str, encoding: str = AUTO) -> str:
        """See gateway.simulator.handset.Handset.send."""
        _check_length("destination_addr", to, 20)
        self._reference = (self._reference + 1) % 0x100
        parts = encode(text, self._alphabet, self._reference, encoding)
        if self._watch is not None:
            self._watch(Sms(self.msisdn, to, text))
        message_id = ""
        for part in parts:
            status, message_id = await asyncio.to_thread(self._submit, part, to)
            if status != CommandStatus.ROK:
                raise SubmitRefusedError(to, name_of(status))
        return message_id

    async def wait_for(self, expectation: Expectation, within: float) -> Sms:
        """See gateway.simulator.handset.Phone."""
        return await asyncio.to_thread(self._wait_for, expectation, within)

    async def silence(self, expectation: Expectation, within: float) -> None:
        """See gateway.simulator.handset.Phone. Waits the whole time instead of making round trips."""
        try:
            sms = await self.wait_for(expectation, within)
        except MissedError:
            return
        raise UnexpectedError(self.msisdn, expectation, sms)

    async def expect(
        self,
        regex: str | None = None,
        within: float = 5.0,
        sender: str | None = None,
        text: str | None = None,
    ) -> Sms:
        """See gateway.simulator.handset.Handset.expect."""
        return await self.wait_for(Expectation.of(regex, text, sender), within)

    async def close(self) -> None:
        """Unbind and close the connection."""
        await asyncio.to_thread(self._close)

    def _bind(self) -> None:
        try:
            self._client.connect()
            # Without this its small writes wait for our acknowledgements, some 40 ms each.
            self._client._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._client.bind_transceiver(
                system_id=self._account.system_id,
                password=self._account.password,
                address_range=self.msisdn,
            )
        except smpplib.exceptions.PDUError as error:
            self._client.disconnect()
            raise BindRefusedError(self._account.system_id, name_of(error.args[1])) from error
        except smpplib.exceptions.ConnectionError as error:
            self._client.disconnect()
            where = f"{self._account.host}:{self._account.port}"
            raise NotConnectedError(f"cannot reach {where}: {error or 'connection lost'}") from error

    def _submit(self, part: Segment, to: str) -> tuple[int, str]:
        sent = self._client.send_message(
            source_addr_ton=self._ton,
            source_addr_npi=_E164,
            source_addr=self._prefix + self.msisdn,
            dest_addr_ton=0,
            dest_addr_npi=_E164,
            destination_addr=to,
            esm_class=part.esm_class,
            data_coding=part.data_coding,
            short_message=part.octets,
        )
        until = time.monotonic() + _RESPONSE_TIMER
        while sent.sequence not in self._answers:
            if not self._read(until):
                raise NoResponseError(f"no response within {_RESPONSE_TIMER:g} s")
        return self._answers.pop(sent.sequence)

    def _wait_for(self, expectation: Expectation, within: float) -> Sms:
        until = time.monotonic() + within
        while (sms := self._mailbox.take(expectation)) is None:
            if not self._read(until):
                raise MissedError(self.msisdn, expectation, within, tuple(self._mailbox.unread))
        return sms

    def _read(self, until: float) -> bool:
        """Wait for one PDU and let smpplib process it. Returns False if none came in time."""
        left = until - time.monotonic()
        readable, _, _ = select.select([self._client._socket], [], [], max(0.0, left))
        if not readable:
            return False
        try:
            self._client.read_once(auto_send_enquire_link=False)
        except (smpplib.exceptions.ConnectionError, TimeoutError) as error:
            raise NotConnectedError("connection lost") from error
        return True

    def _answered(self, pdu: Any) -> None:
        message_id = getattr(pdu, "message_id", None) or b""  # a refusal has none
        self._answers[pdu.sequence] = pdu.status, message_id.decode("latin-1")

    def _delivered(self, pdu: Any) -> int:
        """smpplib: a deliver_sm came. Returns the command_status of its response."""
        tlvs = {tag: value for name, tag in _TLVS if (value := getattr(pdu, name, None)) is not None}
        received = Received(
            pdu.source_addr.decode("latin-1"), pdu.short_message or b"", pdu.data_coding, pdu.esm_class, tlvs
        )
        try:
            sms = self._mailbox.put(received)
        except MailboxFullError:
            return CommandStatus.RMSGQFUL
        except BrokenUdhError:
            return CommandStatus.RINVESMCLASS
        if sms is not None and self._watch is not None:
            self._watch(sms)
        return CommandStatus.ROK

    def _close(self) -> None:
        try:
            self._client.unbind()
        except (smpplib.exceptions.ConnectionError, smpplib.exceptions.PDUError):
            pass  # it is gone already
        finally:
            self._client.disconnect()


def _check_length(field: str, value: str, limit: int) -> None:
    """Check a length: smpplib would truncate the value silently."""
    if len(value) > limit:
        raise CannotSendError(f"{field} has {len(value)} characters, at most {limit} fit")
