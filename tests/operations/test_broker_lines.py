"""Connections to brokers: what `status` is told, and how many lines the log gets."""

from gateway.operations.broker_lines import BrokerLines


class Written(BrokerLines):
    """Keeps the failures of which a line was written."""

    def __init__(self) -> None:
        self.links = {}
        self.told: list[int] = []
        self._log = self

    def info(self, _: str, *, failures: int, **__: str) -> None:
        self.told.append(failures)

    warning = info


def test_every_failure_is_known_and_few_are_logged() -> None:
    """The log has the 1st, 2nd, 4th and 8th of ten failures; the reason for `status` is that of the last."""
    lines = Written()
    for failures in range(1, 11):
        lines.consumer_disconnected("mqtt", "b.example:1883", f"reason {failures}", failures)
    assert lines.told == [1, 2, 4, 8]
    assert lines.links == {"mqtt": {"connected": False, "peer": "b.example:1883", "reason": "reason 10"}}


def test_a_connection_that_stands_or_is_another_nodes() -> None:
    """Connected: no reason. A consumer that another node has is not told of, known or not."""
    lines = Written()
    lines.consumer_disconnected("provinces", "b.example:1883", "refused", 1)
    lines.consumer_connected("provinces", "b.example:1883", 1)
    assert lines.links["provinces"] == {"connected": True, "peer": "b.example:1883", "reason": None}
    lines.consumer_left("provinces")
    lines.consumer_left("mqtt")
    assert lines.links == {}
