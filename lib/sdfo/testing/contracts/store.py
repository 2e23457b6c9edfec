"""What `sdfo.stores.Store` promises, as tests. To run them on a store:

class TestMyStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path): return MyStore(…)      # fresh and empty
    def raw_bytes(self, store, path): …               # what lies there, read beneath the API

The test files' conftest must call `pytest.register_assert_rewrite("sdfo.testing.contracts")` before they are imported.
"""

from __future__ import annotations

from sdfo.testing.contracts.store_model import ModelContract
from sdfo.testing.contracts.store_names import NameContract
from sdfo.testing.contracts.store_races import RaceContract
from sdfo.testing.contracts.store_reads import ReadContract
from sdfo.testing.contracts.store_writes import WriteContract

__all__ = ["StoreContract"]


class StoreContract(WriteContract, ReadContract, NameContract, RaceContract, ModelContract):
    """All of it."""
