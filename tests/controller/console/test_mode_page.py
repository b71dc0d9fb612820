"""The mode of the site on the pages and in the journal, at a reserve, off the grid and back."""

from watched import Watched, action

from controller.core.base.reasons import MODE


def test_a_technician_sees_the_mode_and_which_level_binds(tmp_path):
    """The charge is 9 %, below the backup level of 10 %; the converter forms an island from 20 s to
    24 s.
    """
    island = (action(20, "island", unit=1, on=True), action(24, "island", unit=1, on=False))
    watched = Watched(tmp_path, lambda t_s: 150_000.0, island, soc=0.09).run(19)
    assert "R241 backup: SOC 8.9 %, keep 10 %" in watched.text("why")
    assert "R402 peaks: SOC 8.9 %, keep 15 %" in watched.text("why")
    assert "above reserve of 15 %" in watched.text("status") and "Mode" not in watched.text("why")
    watched.run(23.5)
    status, why = watched.lines("status"), watched.text("why")
    assert "RUNNING, ISLAND" in status[0] and "above reserve of 3 %" in "\n".join(status)
    assert "Mode   R903 island. A converter or a generator set carries the site." in why
    assert "R241" not in why and "none: off the grid" in why
    assert watched.shadow.core.found.limit_W == 250_000
    assert watched.facts("why")["mode"]["code"] == MODE + 2
    watched.run(28)
    assert "RUNNING, RETURN TO THE GRID" in watched.lines("status")[0]
    assert "R241 backup: SOC" in watched.text("why")


def test_a_signal_that_other_measurements_contradict_is_named_with_its_remedy(tmp_path):
    """The contact of the transfer switch sticks at "off the grid" while the grid gives 300 kW."""
    stuck = (action(8, "contact", name="source", closed=True),)
    watched = Watched(tmp_path, lambda t_s: 300_000.0, stuck).run(10)
    assert watched.facts("why")["contradicted"] == [] and "Wrong" not in watched.text("why")
    watched.run(12)
    (found,) = watched.facts("status")["contradicted"]
    assert found["signal"] == "source_code" and found["reason"]["label"] == "R921"
    named = "R921 transfer switch contradicted: source_code"
    assert f" ! {named}" in watched.lines("status") and len(watched.lines("status")) <= 24
    why = " ".join(watched.text("why").split())
    assert f"Wrong {named}." in why and "auxiliary contact of the transfer switch" in why
    assert not watched.shadow.core.found.is_off_grid
