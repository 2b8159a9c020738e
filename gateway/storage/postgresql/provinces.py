"""SMS to and from provinces: their statements, and the calls of gateway.storage.contract.ProvinceStore."""

from collections.abc import Iterator, Sequence
from typing import Final

from gateway.message import Asked, Commit
from gateway.storage.postgresql.link import Link, Statement
from gateway.storage.postgresql.rows import recordset

_COLUMNS: Final = "number, at, province, msisdn, destination, reply_by, over_at"
_ASKED: Final = f"""
INSERT INTO province_asked ({_COLUMNS}) SELECT {_COLUMNS} FROM json_to_recordset(%s) AS x (number bigint,
    at bigint, province text, msisdn text, destination text, reply_by bigint, over_at bigint)
"""  # noqa: S608
_OVER: Final = """
UPDATE province_asked p SET over_at = x.at FROM json_to_recordset(%s) AS x (at bigint, number bigint)
WHERE p.number = x.number AND p.over_at = 0
"""
_OVERDUE: Final = """
UPDATE province_asked p SET reply_by = least(p.reply_by, x.at)
FROM json_to_recordset(%s) AS x (at bigint, number bigint) WHERE p.number = x.number AND p.over_at = 0
"""
_POSTED: Final = """
INSERT INTO province_sent (province, id, at, number) SELECT province, id, at, number
FROM json_to_recordset(%s) AS x (province text, id text, at bigint, number bigint)
"""
_BY_NUMBER: Final = f"SELECT {_COLUMNS} FROM province_asked WHERE number = ANY(%s) ORDER BY number"  # noqa: S608
_TIME_IS_UP: Final = f"""
SELECT {_COLUMNS} FROM province_asked WHERE over_at = 0 AND reply_by <= %s ORDER BY reply_by LIMIT %s
"""  # noqa: S608
_KNOWN: Final = """
SELECT s.province, s.id FROM province_sent s
JOIN json_to_recordset(%s) AS x (province text, id text) ON s.province = x.province AND s.id = x.id
"""
_COUNT: Final = "SELECT province, count(*) FROM province_sent WHERE at >= %s GROUP BY province"


def statements(commit: Commit) -> Iterator[Statement]:
    """Their part of a commit."""
    if commit.asked:
        yield _ASKED, (recordset([each._asdict() for each in commit.asked]),)
    if commit.asked_over:
        yield _OVER, (recordset([each._asdict() for each in commit.asked_over]),)
    if commit.overdue:
        yield _OVERDUE, (recordset([each._asdict() for each in commit.overdue]),)
    if commit.posted:
        yield _POSTED, (recordset([each._asdict() for each in commit.posted]),)


class ProvinceCalls:
    """The calls; the rest of the store is PostgresStore."""

    _link: Link

    async def asked(self, numbers: Sequence[int]) -> list[Asked]:
        """Searches of the primary key."""
        return [Asked(*row) for row in await self._link.read(_BY_NUMBER, (list(numbers),))]

    async def overdue(self, now: int, limit: int) -> list[Asked]:
        """A search of the index of those that are open."""
        return [Asked(*row) for row in await self._link.read(_TIME_IS_UP, (now, limit))]

    async def posted(self, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Searches of the primary key."""
        wanted = recordset([{"province": province, "id": its} for province, its in keys])
        return {(province, its) for province, its in await self._link.read(_KNOWN, (wanted,))}

    async def posted_since(self, at: int) -> dict[str, int]:
        """A search of the index of their times."""
        return dict(await self._link.read(_COUNT, (at,)))
