"""What the chains of the commissioning checklist add up, where a cabinet has shown that a part was missing."""

from controller import bus_times, time_chain
from safety import matrix as m


def parts(files, name):
    """{part: ms} from the cause to the tick that decides."""
    found = files.load()
    stage = next(stage for stage in m.STAGES if stage[m.S_ID] == name)
    return {part.what: part.time_ms for part in time_chain.decision(found, bus_times.schedule(found), stage)}


def test_words_that_moved_just_before_they_froze_are_news_in_the_next_read(files):
    """In real processes row 50b stood up to 90 ms after its 5 s and a tick: the read comes every 100 ms."""
    of_frozen, of_silent = parts(files, "50b"), parts(files, "50a")
    assert of_frozen["silence"] == 5000 and of_frozen["bus"] >= 100
    assert of_silent["silence"] == 500 and "bus" not in of_silent
