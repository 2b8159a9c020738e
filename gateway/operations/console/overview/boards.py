"""The overviews of all visitors: one for each scope and language, from one snapshot, while it is fresh."""

from dataclasses import replace
from zoneinfo import ZoneInfo

from commands.tables import InForce
from gateway.clock import Clock
from gateway.operations.console.overview.board import Board, Text, by_province, put_counts, put_rates
from gateway.operations.console.overview.infrastructure import put_infrastructure
from gateway.operations.console.overview.waiting import Read, WaitingLooks
from gateway.operations.console.rights import HEADQUARTERS, Viewer
from gateway.operations.console.tiles import TileGrid
from gateway.operations.metrics.building import Metrics
from gateway.operations.metrics.snapshot import Snapshot


class Boards:
    """Makes and keeps them. read: reads the store in a thread (Services.read)."""

    def __init__(self, metrics: Metrics, clock: Clock, zone: ZoneInfo, in_force: InForce, read: Read) -> None:
        self._metrics = metrics
        self._zone = zone
        self._in_force = in_force
        self._read = read
        self._looks = WaitingLooks(clock)
        self._grid = TileGrid()
        self._snapshot: Snapshot | None = None
        self._made: dict[tuple[str, str], Board] = {}

    async def of(self, viewer: Viewer, language: str, text: Text) -> Board:
        """The overview as a visitor sees it. text: in his language."""
        snapshot = await self._metrics.snapshot()
        waiting = await self._looks.take(self._read) if viewer.sees_all else None
        if snapshot is not self._snapshot:
            self._snapshot = snapshot
            self._made.clear()
        key = (viewer.province, language)
        board = self._made.get(key)
        if board is None:
            board = self._made[key] = Board()
            self._put_provinces(board, snapshot, viewer, language, text)
            put_counts(board, snapshot, text, viewer.sees)
            if viewer.sees_all:
                put_rates(board, snapshot, text)
                put_infrastructure(board, snapshot, waiting, self._zone, text)
        return board

    def _put_provinces(
        self, board: Board, snapshot: Snapshot, viewer: Viewer, language: str, text: Text
    ) -> None:
        provinces = self._in_force.tables.routing.provinces
        seen = {code: each for code, each in provinces.items() if viewer.sees(code)}
        if HEADQUARTERS in seen:  # no customer has his home there: it stands for a home that nobody knows
            unknown = text("home_unknown")
            seen[HEADQUARTERS] = replace(seen[HEADQUARTERS], zh=unknown, en=unknown)
        values = dict.fromkeys(seen, 0) | {
            code: value for code, value in by_province(snapshot).items() if code in seen
        }
        board.tiles = self._grid.tiles(seen, values, language, figures_of)


def figures_of(province: str) -> str:
    """Where the figures of a province are; who sees the overview sees them too."""
    return "/statistics" if province == HEADQUARTERS else f"/statistics?province={province}"
