"""A store in memory, for tests without a disk: it keeps every rule of a store but durability.

MemoryStores.open_store opens one wherever a gateway would open its own.
"""

from gateway.storage.memory.reader import MemoryReader as MemoryReader
from gateway.storage.memory.store import MemoryStore as MemoryStore
from gateway.storage.memory.store import MemoryStores as MemoryStores
