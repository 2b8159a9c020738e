"""Opens the key that belongs to a store."""

from pathlib import Path

from gateway.operations.logs import Log
from gateway.secrets import KeyFile, Keys
from gateway.storage.contract import Store


async def open_keys(store: Store, path: Path, log: Log, *, new_key: bool) -> Keys:
    """Return the key of a store, or another one where its loss is accepted (`new_key`).

    Raises KeyFileError, StorageError.
    """
    known = await store.key_check()
    keys = KeyFile.open(path, None if new_key else known)
    if keys.check != known:
        await store.set_key_check(keys.check, known)
        KeyFile.open(path, await store.key_check())  # another node may have been first, with a key of its own
        if known is not None:
            consequence = "passwords and parts of long messages that wait are lost"
            log.logger.warning("key.replaced", file=str(path), consequence=consequence)
    return keys
