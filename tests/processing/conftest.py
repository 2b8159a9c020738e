"""What tests of batches share."""

from collections.abc import Iterator

import pytest

from gateway.processing import pipeline


@pytest.fixture(autouse=True)
def patient() -> Iterator[None]:
    """Tests put the clock forward by seconds at once, also while the store is asked: that is no store that
    stalls."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "STALLED", 1e9)
        yield
