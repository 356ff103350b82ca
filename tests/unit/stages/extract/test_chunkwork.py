"""A whole chunk is worked off whatever it holds."""

from medpipe.stages.extract.chunkwork import Bank, work_chunk
from tests.support.chunks import arrow_look, film, texture


def test_a_known_pointer_outlives_a_chunk_in_which_nothing_rests() -> None:
    bank = Bank(templates=[arrow_look()])

    seen = work_chunk(film(30, texture), bank)

    assert seen.views == []
    assert len(seen.places) == 30
    assert len(bank.templates) >= 1
