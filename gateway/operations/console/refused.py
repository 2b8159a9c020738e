"""Why a request of a visitor cannot be answered."""


class Refused(Exception):
    """The request cannot be answered. Its text says why, and what to do; it is shown to the visitor. detail:
    what only headquarters read."""

    def __init__(self, status: int, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.detail = detail
