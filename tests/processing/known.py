"""Retransmissions over a real store, and what the pipeline does around them, with a time that a test
moves."""

from pathlib import Path

from gateway.inbound.retransmissions import Retransmissions
from gateway.message import Commit, Retransmission
from tests.proofs.served import SYSTEM_ID
from tests.support import received, store_at

HOUR = 3_600_000
LATE = 120_000
NOW = 1_200_000_000_000
ONE, OTHER = 11, 12
YES, NO = b"yes", b"no"


class Client:
    """The far end of a session, as Retransmissions asks for it: what was sent to it, and what it has
    answered."""

    def __init__(self) -> None:
        self.mark = 0
        self.answers: list[tuple[float, int]] = []

    def asked(self) -> None:
        """We send one more request."""
        self.mark += 1

    def answers_at(self, moment: float) -> None:
        """It answers all that was sent."""
        self.answers.append((moment, self.mark))

    def has_read(self, mark: int, moment: float) -> bool:
        """Whether it had answered a request behind that one by then."""
        return any(sequence > mark for at, sequence in self.answers if at <= moment)


class Known:
    """Retransmissions over a real store, and what the pipeline does around them. Moments are NOW's
    milliseconds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOW
        self.jumped = 0  # how far the wall clock was put forward
        self.clients: dict[int, Client] = {}
        self.windows = {SYSTEM_ID: HOUR, "never": 0}
        self._open()

    def _open(self) -> None:
        self.store = store_at(self.folder / "store.db")
        self.store._db.execute("PRAGMA synchronous=OFF")  # no power is cut here
        self.known = Retransmissions(self.store, self.windows, LATE, self.wall, self.moment)

    @property
    def wall(self) -> int:
        """What the wall clock shows."""
        return self.now + self.jumped

    @property
    def moment(self) -> float:
        """Monotonic seconds."""
        return (self.now - NOW) / 1000

    def client(self, session: int) -> Client:
        """The far end of a session."""
        return self.clients.setdefault(session, Client())

    async def settle(self) -> None:
        """The commit that the pipeline makes now and then, and the steps that follow it."""
        await self.commit(Commit())
        while self.known.expecting:
            await self.known.expect()

    async def commit(self, commit: Commit) -> None:
        """With what is in doubt."""
        commit.settled = self.known.settle(self.moment, self.wall)
        self.known.hand_in(commit)
        if commit:
            await self.store.commit(commit)

    async def answer(
        self, number: int, digest: bytes = YES, session: int = ONE, account: str = SYSTEM_ID
    ) -> None:
        """An SMS is committed and answered at once."""
        await self.store.commit(Commit(messages=[received(number, session=session, digest=digest)]))
        self.known.answered(session, account, self.client(session), number, number, self.moment)

    async def lose(self, session: int = ONE) -> None:
        """A session is cut."""
        self.known.lost(session, self.moment)
        await self.settle()

    async def find(self, digest: bytes) -> int | None:
        """An SMS comes; the number that it repeats. That is committed, but not answered yet."""
        number = (await self.known.find([digest], self.moment)).take(digest)
        if number is not None:
            await self.commit(Commit(repeats=[Retransmission(number, OTHER, self.wall)]))
        return number

    async def comes_again(self, digest: bytes, session: int) -> int | None:
        """The same, and it is answered on that session."""
        number = await self.find(digest)
        if number is not None:
            self.known.repeated(session, SYSTEM_ID, self.client(session), number, self.wall, self.moment)
        return number

    async def restart(self) -> None:
        """The process dies and another one begins."""
        await self.store.close()
        self._open()
        await self.known.recover(self.moment)
