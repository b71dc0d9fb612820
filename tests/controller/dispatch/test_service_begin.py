"""The start of the dispatcher: which epoch it takes, and when it must not run."""

import asyncio

import pytest
from fleet_world import awaited

from controller.dispatch import epoch_file, service
from controller.dispatch.fleet import Cabinet, Fleet
from controller.hints import wire as w
from tests.tables import cases

CABINETS = tuple([Cabinet(name, bytes(32), 200, 0) for name in ("hall1", "hall2")])


class Link:
    """Carries each greeting to cabinets that answer at once with their epochs."""

    def __init__(self, epochs):
        self.epochs, self.greeted = epochs, []

    def check(self):
        """Still connected."""

    def send(self, topic, data):
        name = topic.split("/")[1]
        self.greeted.append(name)
        assert data == w.hello("fleet")
        if name in self.epochs:
            sequence = self.epochs[name] << w.COUNT_BITS
            welcome = w.WELCOME.pack(w.WELCOME_MAGIC, bytes(8), 0, sequence)
            self.service._answers.append((name, welcome))


def begun(path, epochs, take_over=False, without=()):
    """(greeted cabinets, epoch, cabinets to which an earlier dispatcher may still lend)."""
    fleet = Fleet("", 1000, False, "fleet", 0, 0.0, CABINETS, {})
    made = service.Service(fleet, str(path), take_over, without)
    link = Link(epochs)
    link.service = made
    asyncio.run(made._begin(link))
    return set(link.greeted), made._dispatcher.ledger.epoch, awaited(made._dispatcher)


@pytest.fixture(autouse=True)
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "GREET_US", 100_000)
    monkeypatch.setattr(service, "GREET_EACH_MS", 0)
    return tmp_path / "epoch.json"


def test_the_first_start_greets_and_waits_for_every_cabinet(path):
    greeted, epoch, awaited = begun(path, {"hall1": 0})
    assert greeted == {"hall1", "hall2"} and epoch > 0 and awaited == ["hall1", "hall2"]


def kept(path, epoch, names=("hall2", "hall1")):
    origin = epoch_file.origin(str(path))
    epoch_file.put(str(path), epoch_file.Kept(epoch, False, origin, epoch_file.digest(names)))


def test_a_later_start_greets_nobody_and_believes_its_own_file(path):
    """The next epoch: the restarts of a dispatcher that was replaced stay below the later one."""
    kept(path, 70)
    greeted, epoch, awaited = begun(path, {"hall1": 2**31 - 1})
    assert not greeted and epoch == 71 and not awaited


def test_a_cabinet_that_is_new_in_the_file_counts_as_at_a_first_start(path):
    """Another dispatcher may lend to it."""
    kept(path, 70, ["hall1"])
    greeted, epoch, awaited = begun(path, {})
    assert not greeted and epoch == 71 and awaited == ["hall1", "hall2"]
    assert begun(path, {})[2] == ["hall1", "hall2"], "after a restart too"


def test_a_restart_goes_on_with_a_take_over(path):
    _, first, _ = begun(path, {"hall1": 5, "hall2": 9}, take_over=True)
    assert first > 9
    _, second, awaited = begun(path, {}, without=("hall2",))
    assert second > first and awaited == ["hall1"]


@cases("""
    own   epochs                      take_over  problem
    0     {"hall1": 3, "hall2": 9}    False      "hall2 takes hints of epoch 9, so another"
    -1    {}                          False      "epoch.json is a copy, or another"
    0     {"hall1": 2**20 + 1}        True       "hall1 says that it takes hints of epoch 1048577"
    5     {"hall1": 2**20 + 6}        True       "hall1 says that it takes hints of epoch 1048582"
""")
def test_it_must_not_run(path, own, epochs, take_over, problem):
    if own:
        kept(path, abs(own))
    if own < 0:
        text = path.read_text()
        path.write_text(text.replace("epoch.json", "copy.json"))
    before = path.read_text() if own else None
    with pytest.raises(service.Refused, match=problem):
        begun(path, epochs, take_over)
    assert (path.read_text() if own else None) == before


def test_the_farthest_epoch_that_a_greeting_may_name(path):
    assert begun(path, {"hall1": 2**20}, take_over=True)[1] > 2**20


def test_a_copy_starts_with_a_take_over(path):
    kept(path, 5)
    path.write_text(path.read_text().replace("epoch.json", "copy.json"))
    _, epoch, awaited = begun(path, {"hall1": 5}, take_over=True)
    assert epoch > 5 and awaited == ["hall1", "hall2"]
    assert epoch_file.read(str(path)).origin == epoch_file.origin(str(path))


def test_a_dispatcher_that_was_replaced_does_not_start_again(path):
    kept(path, 5)
    fleet = Fleet("", 1000, False, "fleet", 0, 0.0, CABINETS, {})
    made = service.Service(fleet, str(path), False, ())
    asyncio.run(made._begin(Link({})))
    for each in made._dispatcher.members:
        each.exchange.is_deposed = True
    with pytest.raises(service.Refused, match="a later dispatcher has taken hall1, hall2 over"):
        made._turn(Link({}))
    with pytest.raises(service.Refused, match="another dispatcher has taken over since"):
        begun(path, {})
    assert begun(path, {}, take_over=True)[1] > 1000


class Full:
    """A dispatcher whose cabinets have all answered."""

    class Ledger:
        epoch = 7
        shares = ()

    ledger = Ledger()


def test_a_full_disk_ends_no_dispatcher_that_serves(path, monkeypatch, capsys):
    """The next start waits for every cabinet, until the disk takes the note."""
    fleet = Fleet("", 1000, False, "fleet", 0, 0.0, CABINETS, {})
    made = service.Service(fleet, str(path), False, ())
    now_us, real, failures = [0], epoch_file.put, [1]
    monkeypatch.setattr(service.clock, "now_us", lambda: now_us[0])

    def put(path, kept):
        if failures:
            raise epoch_file.Refused(f"{path}: the epoch cannot be stored: No space left")
        real(path, kept)

    monkeypatch.setattr(epoch_file, "put", put)
    made._is_taken = True
    for at_us in (0, service.AGAIN_US - 1):
        now_us[0] = at_us
        made._note_all_heard(Full())
    assert made._is_taken and capsys.readouterr().err.count("No space left; it goes on") == 1
    failures.clear()
    now_us[0] = service.AGAIN_US
    made._note_all_heard(Full())
    assert not made._is_taken and not epoch_file.read(str(path)).is_taken
