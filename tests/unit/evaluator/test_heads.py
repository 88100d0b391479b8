"""What a partition learns of its rows when it starts, while others go on."""

from __future__ import annotations

from services.evaluator.core.catalog import build_catalog
from services.evaluator.core.state import ContactState
from services.evaluator.epoch import Epoch
from services.evaluator.meta import Meta
from services.evaluator.processor import PartitionProcessor
from services.evaluator.rows import Row, encode_row
from tests.builders import a_journey
from tests.fakes import MemoryEpochs


def test_the_rows_are_looked_through_in_steps_between_which_others_may_work() -> None:
    """A million rows in one piece would hold up every partition that the worker has for seconds."""
    store = MemoryEpochs()
    rows = {contact: encode_row(Row(ContactState(contact))) for contact in (f"u:{number}" for number in range(12_000))}
    store.keep(Epoch(rows, (), Meta(), 1))
    catalog = build_catalog([a_journey()])
    processor = PartitionProcessor(partition=0, catalog=catalog, store=store, incarnation="log", indexed=False)
    assert [5_000, 10_000, 12_000] == [processor.contacts for _ in processor.index()]
    assert 12_000 == PartitionProcessor(partition=0, catalog=catalog, store=store, incarnation="log").contacts
