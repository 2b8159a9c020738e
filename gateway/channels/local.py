"""Base of binds without a connection: who sends SMS there is in this process."""

from gateway.channels.contract import Enquiry, Told


class LocalBind:
    """What every Bind (gateway.channels.contract) without a connection answers alike: its peer reads an
    answer when it is given, and asks for no receipts.

    A kind of it adds closed, receives, room, accept(), reject(), send(), flush(), abort() and describe().
    number, account, peer, response_timeout, if_unanswered: as in Bind.
    """

    __slots__ = (
        "account",
        "held",
        "held_answers",
        "if_unanswered",
        "link",
        "messages_in",
        "messages_out",
        "number",
        "peer",
        "reply_on",
        "response_timeout",
    )

    receipts: None = None
    mark: int = 0

    def __init__(
        self, number: int, account: str, peer: str, *, response_timeout: float, if_unanswered: str
    ) -> None:
        self.number = number
        self.account = account
        self.peer = peer
        self.response_timeout = response_timeout
        self.if_unanswered = if_unanswered
        self.link = ""
        self.reply_on = 0
        self.messages_in = self.messages_out = 0
        self.held = self.held_answers = 0

    def has_read(self, mark: int, moment: float) -> bool:
        """It has: an answer is read when it is given."""
        del mark, moment
        return True

    def asks_for(self, msisdn: str) -> int | None:
        """For nobody in particular."""
        del msisdn
        return None

    def given_id(self, message_id: str, origin: object = None) -> str:
        """As it is."""
        del origin
        return message_id

    def tell(self, enquiry: Enquiry, told: Told) -> None:
        """Nobody asks."""
