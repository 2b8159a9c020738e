"""A gateway runs over a store in memory as it does over a file."""

from contextlib import closing
from pathlib import Path

from gateway.operations.replay import Replay
from gateway.simulator.demo import converse
from gateway.storage.memory import MemoryStores
from gateway.testing import running_gateway
from tests.operations.test_replay import replay


async def test_a_conversation_without_a_disk(tmp_path: Path) -> None:
    """The conversation of the demo runs over a store in memory and its journal replays without a difference;
    after a stop and a start the gateway goes on with what the store holds, and no file of a store is made."""
    stores = MemoryStores()
    store = tmp_path / "fetion.db"
    async with running_gateway(tmp_path, open_store=stores.open_store) as gateway:
        await converse(gateway.account, advance=gateway.advance_seconds)
    with closing(stores.open_reader(store)) as reader:
        before = list(reader.journal())
        run: Replay = replay()
        assert list(run.run(before)) == []
        assert run.compared > 1
        async with running_gateway(tmp_path, open_store=stores.open_store):
            assert list(reader.journal()) == before
    assert not store.exists()
