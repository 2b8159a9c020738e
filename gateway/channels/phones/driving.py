"""The phones of the page as the composition root builds them."""

from collections.abc import Callable, Iterator, Sequence

from gateway.channels.contract import Channel, ChannelOwner
from gateway.channels.driver import AccountTerms, Driver
from gateway.channels.phones.channel import TEXT, PhonesChannel
from gateway.channels.phones.conversations import Conversations
from gateway.observer import Observer
from gateway.settings import PHONES_ACCOUNT
from routing.ranges import MobileRanges


class PhonesSide:
    """numbers: that there are phones for, None: there are none. drivers: one, or none likewise. of_phones:
    their account, or "". channel: None until it is built."""

    def __init__(self, numbers: MobileRanges, now_ms: Callable[[], int]) -> None:
        self.channel: PhonesChannel | None = None
        self.numbers = numbers or None
        self.of_phones = PHONES_ACCOUNT if numbers else ""
        terms = AccountTerms(TEXT)
        self.drivers: Sequence[Driver] = [Driver({PHONES_ACCOUNT: terms}, self._build)] if numbers else ()
        self._now_ms = now_ms

    def _build(
        self, owner: ChannelOwner, observer: Observer, monotonic: Callable[[], float], numbers: Iterator[int]
    ) -> Channel:
        assert self.numbers is not None, "without numbers there is no driver"
        conversations = Conversations(self.numbers)
        self.channel = PhonesChannel(conversations, self._now_ms, owner, observer, monotonic, numbers)
        return self.channel
