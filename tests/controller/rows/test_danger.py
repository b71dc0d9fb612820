"""The order of all alarms, from the demands of each stage: the most dangerous to people first."""

from controller.rows import danger, reason_words
from safety import matrix as m

BY_ID = {stage[m.S_ID]: stage for stage in m.STAGES}
ORDER = [stage[m.S_ID] for stage in sorted(m.STAGES, key=danger.order)]
AWAY = "call the fire service"


def test_alarms_that_send_people_away_come_before_alarms_to_watch():
    """ "Watch its temperature" once came before "keep away, call the fire service"."""
    assert ORDER.index("23a") < ORDER.index("22")
    places = {name: place for place, name in enumerate(ORDER)}
    remedies = {name: reason_words.stage_text(each)[2].lower() for name, each in BY_ID.items()}
    calling = [name for name, words in remedies.items() if AWAY in words or "keep away" in words]
    assert len(calling) > 12
    rest = [name for name, stage in BY_ID.items() if danger.level(stage) < danger.SIGN]
    assert max([places[name] for name in calling]) < min([places[name] for name in rest])


def test_the_levels():
    """Several stages of each level. A gate on gas makes a louvre a sign of gas."""
    levels = "12a 4 3 4 21b 4 24 4 7 3 22 3 16b 3 48b 3 9 3 1a 2 39 2 44a 2 47a 2 26b 2 16a 1 6a 1"
    names = f"{levels} 19a 1 31b 1 48a 1 18a 0 40a 0".split()
    for name, level in zip(names[::2], names[1::2]):
        assert danger.level(BY_ID[name]) == int(level), name
    assert [bool(words) for words in danger.FIRST] == [False, False, False, True, True]


def test_each_stage_that_stops_comes_before_each_that_does_not():
    levels = [danger.level(BY_ID[name]) for name in ORDER]
    assert levels == sorted(levels, reverse=True)
    for name in ORDER:
        demand = BY_ID[name][m.S_DEMAND]
        stops = demand[m.D_PCS] == m.PCS_STOP or demand[m.D_DC] >= m.DC_OPEN_AT_ZERO
        assert stops == (danger.level(BY_ID[name]) >= danger.STOPPED) or name == "48b", name
        assert not demand[m.D_PRE_ALARM] or danger.level(BY_ID[name]) >= danger.SIGN
