"""The balance of a site: grid + PV + generator sets + battery = load.

One wrong signal must not stop a generator set, or lift a limit, while other measurements contradict
it. A stuck contact "off the grid" once let 642 kW pass a connection of 500 kW, while the grid meter
reported the import. So each signal is compared with the others:

    1. A power beyond the rating of its device is wrong.
    2. Off the grid the grid meter reads 0. If it does not, contact or meter is wrong.
    3. A generator set that does not run gives no power. A bus without a voltage has no source.
    4. The powers add up to 0. If they do not, a single power is wrong only if another value within
       its physical range closes the sum. If this holds for several, they are doubtful.
    5. On the grid, loads and inverters that no meter sees may be missing in the sum, but never more
       than the connection carries. A meter that wraps around at the end of its range breaks this
       rule. Then the meter that shows the smaller import (grid meter or load meter) is wrong.

"The sum closes" means: the powers can add up to 0. An unknown power may have any value within its
range. So with few measurements the sum always closes, and the check finds nothing. All powers are
in W. The caller (policies/site_balance.py) decides for how long a contradiction must last.
"""

from typing import NamedTuple

from drivers.plausible import GENSET, plausible

# Numbers of the signals. From FIRST on: power and "runs" of each set, then power of each inverter.
GRID, LOAD, BATTERY, SOURCE, FORMING, FIRST = range(6)
ANY_W = 1_000_000_000
# Tolerance of the sum: meters and current transformers of class 1, read at different moments.
TOLERANCE_PERMILLE, TOLERANCE_W_MIN = 20, 1000
NOISE_PARTS, NOISE_W_MIN = 200, 1000  # a device at 0 W reads less than this
BEYOND_PERMILLE = 1250  # of the rating; a higher reading has a wrong scale and is no overload
# Off the grid, a power of the grid meter below 1/SMALL_PARTS of the connection limit does no harm.
# Without a load meter, only a power below 1/SMALL_PARTS_BLIND counts as small.
SMALL_PARTS, SMALL_PARTS_BLIND = 2, 25


class Source(NamedTuple):
    """A PV inverter or a generator set."""

    power_W: int | None
    rated_W: int
    runs: int | None = None  # as a set reports it
    is_due: bool = False  # it was asked to run long ago, so it should give power by now
    is_warming: bool = False  # it has just started as asked, and need not give power yet


class Readings(NamedTuple):
    """Reports of the devices of a site at one moment; None is unknown."""

    is_off_grid: bool  # by the contact of the transfer switch
    is_forming: bool
    is_dead: bool  # a fitted load meter does not answer, or reads less than half the voltage
    # the load has been steady for longer than the age of any reading, so that their sum is valid
    is_calm: bool
    grid_W: int | None  # > 0 imports
    load_W: int | None
    battery_W: int | None  # > 0 discharges
    setpoint_W: int
    battery_rated_W: int
    connection_W: int
    unmetered_W: int  # draw that no meter sees, as last found on the grid
    sets: tuple[Source, ...]  # generator sets
    inverters: tuple[Source, ...]  # PV inverters
    is_contact_doubted: bool = False  # the contact of the transfer switch has been contradicted


class Term(NamedTuple):
    """One signed power of the sum. low_W, high_W: its range by the reading; least_W, most_W: its
    physical range; is_sure: another signal confirms the reading.
    """

    signal: int
    low_W: int
    high_W: int
    least_W: int
    most_W: int
    is_sure: bool


class Verdict(NamedTuple):
    """Each word has a bit for each signal. wrong: the other signals contradict this one; doubtful:
    this signal or another one is wrong.
    """

    wrong: int
    doubtful: int


NOTHING, GRID_WRONG = Verdict(0, 0), Verdict(1 << GRID, 0)


def noise_W(rated_W: int) -> int:
    """Power below which a device may be at 0."""
    return max(NOISE_W_MIN, rated_W // NOISE_PARTS)


def tolerance_W(size_W: int) -> int:
    """Error of a reading of a device of this size."""
    return max(TOLERANCE_W_MIN, size_W * TOLERANCE_PERMILLE // 1000)


def gives(source: Source) -> bool:
    """True if the source reports power."""
    return source.power_W is not None and source.power_W >= noise_W(source.rated_W)


def judge(site: Readings) -> Verdict:
    """Find the signals that other signals contradict at this moment."""
    wrong, site = _out_of_range(site)
    if site.is_off_grid:
        contact = _contact(site)
        if contact not in (NOTHING, GRID_WRONG):
            return Verdict(wrong | contact.wrong, contact.doubtful)
        wrong |= contact.wrong
        site = site._replace(grid_W=0)
    else:
        wrong |= meters(site)
    reports = _reports(site)
    if reports or not (site.is_off_grid and site.is_calm) or site.is_dead:
        return Verdict(wrong | reports, 0)
    suspects = _suspects(site)
    if suspects.bit_count() > 1:
        return Verdict(wrong, suspects)
    return Verdict(wrong | suspects, 0)


def meters(site: Readings) -> int:
    """Bit of the meter (grid or load) that the other meter contradicts on the grid; 0: none."""
    low_W, high_W = _sum_W(_terms(site))
    if high_W < -site.connection_W:
        return 1 << GRID
    return 1 << LOAD if low_W > site.connection_W else 0


def carries(site: Readings) -> bool:
    """True if generator sets give power off the grid. If the grid meter is silent, the site counts
    as off the grid when the powers add up to 0 without the grid.
    """
    if not any(map(gives, site.sets)):
        return False
    return site.is_off_grid or site.grid_W is None and closes(site._replace(grid_W=0))


def closes(site: Readings) -> bool:
    """True if the powers can add up to 0 within their tolerances."""
    low_W, high_W = _sum_W(_terms(site))
    return low_W <= 0 <= high_W


def _out_of_range(site: Readings) -> tuple[int, Readings]:
    """(bits of the powers beyond a rating, the readings without these powers)."""
    wrong, trusted = 0, []
    for place, source in enumerate(site.sets + site.inverters):
        most_W = source.rated_W * BEYOND_PERMILLE // 1000
        is_beyond = not -tolerance_W(source.rated_W) <= (source.power_W or 0) <= most_W
        if is_beyond and not _is_confirmed(site, source):
            wrong |= 1 << _power_of(site, place)
            source = source._replace(power_W=None)
        trusted.append(source)
    if not wrong:
        return 0, site
    sets, inverters = trusted[: len(site.sets)], trusted[len(site.sets) :]
    return wrong, site._replace(sets=tuple(sets), inverters=tuple(inverters))


def _is_confirmed(site: Readings, source: Source) -> bool:
    """True if a power beyond the rating is possible (PV drives the set as a motor, or the set is
    overloaded), and the other powers fit it.
    """
    if site.load_W is None or not plausible(source.power_W or 0, source.rated_W, GENSET):
        return False
    return closes(site._replace(grid_W=0) if site.is_off_grid else site)


def _power_of(site: Readings, place: int) -> int:
    """Number of the power of this source; the sets come first, then the inverters."""
    return FIRST + place + min(place, len(site.sets))


def _contact(site: Readings) -> Verdict:
    """Verdict on a contact that reports "off the grid" while the grid meter shows power. A small
    power does not end an island while the load moves, or if the sum closes with and without this
    power, or in neither case.
    """
    if site.grid_W is None or abs(site.grid_W) < noise_W(2 * site.connection_W):
        return NOTHING
    with_grid, without_grid = closes(site), closes(site._replace(grid_W=0))
    if _is_dead(site):
        with_grid, without_grid = False, True
    parts = SMALL_PARTS_BLIND if site.load_W is None else SMALL_PARTS
    is_small = abs(site.grid_W) < site.connection_W // parts and not site.is_contact_doubted
    if is_small and (with_grid == without_grid or not site.is_calm):
        return NOTHING
    if with_grid == without_grid:
        return Verdict(0, 1 << SOURCE)
    return Verdict(1 << (SOURCE if with_grid else GRID), 0)


def _reports(site: Readings) -> int:
    """Reports of sets and converters that their powers, the sum, or a dead bus contradict."""
    is_dead = _is_dead(site) and not any(map(gives, site.sets))
    wrong = (is_dead and site.is_forming) << FORMING
    for place, source in enumerate(site.sets):
        power_signal = FIRST + 2 * place
        if source.runs == 0 and gives(source):
            wrong |= _stopped(site, place)
        elif source.runs and not source.is_warming and (is_dead or _is_idle(site, source)):
            wrong |= 1 << power_signal + 1
    return wrong


def _is_dead(site: Readings) -> bool:
    """True if, off the grid, no measurement shows a voltage. PV power shows a voltage."""
    battery_W = site.battery_W
    is_quiet = battery_W is not None and abs(battery_W) < NOISE_W_MIN
    return site.is_off_grid and site.is_dead and is_quiet and not any(map(gives, site.inverters))


def _stopped(site: Readings, place: int) -> int:
    """Bit of the wrong report of a set that reports both power and a stopped engine. 0 if it is not
    clear which of the two is wrong.
    """
    source, other_sets = site.sets[place], site.sets[:place] + site.sets[place + 1 :]
    at_0 = source._replace(power_W=0)
    with_set_at_0 = site._replace(sets=(*other_sets, at_0))
    closes_now, closes_at_0 = closes(site), closes(with_set_at_0)
    power_signal = FIRST + 2 * place
    if _is_dead(site) or closes_at_0 and not closes_now:
        return 1 << power_signal
    is_live = site.is_off_grid and not site.is_forming and site.load_W is not None
    is_live = is_live and _follows(site) and not any(map(gives, other_sets))
    return (closes_now and (not closes_at_0 or is_live)) << power_signal + 1


def _follows(site: Readings) -> bool:
    """True if the battery gives its set-point, so that no converter carries an island."""
    if site.battery_W is None or site.is_forming:
        return False
    return abs(site.battery_W - site.setpoint_W) <= tolerance_W(site.battery_rated_W)


def _is_idle(site: Readings, source: Source) -> bool:
    """True if a converter carries the island, and a set beside it gives no power although it has
    been asked to run for long enough.
    """
    gives_nothing = source.power_W is not None and not gives(source)
    is_carried = site.is_off_grid and site.is_forming and (site.battery_W or 0) >= NOISE_W_MIN
    return source.is_due and gives_nothing and is_carried and closes(site)


def _suspects(site: Readings) -> int:
    """Bits of the powers that may each be the only wrong one. 0: the sum closes, or several are
    wrong.
    """
    terms = _terms(site)
    low_W, high_W = _sum_W(terms)
    suspects = 0
    if not low_W <= 0 <= high_W:
        for term in terms:
            least_W = low_W - term.low_W + term.least_W
            if not term.is_sure and least_W <= 0 <= high_W - term.high_W + term.most_W:
                suspects |= 1 << term.signal
    return suspects


def _sum_W(terms: list[Term]) -> tuple[int, int]:
    """(lowest, highest) sum of the powers."""
    return sum([term.low_W for term in terms]), sum([term.high_W for term in terms])


def _terms(site: Readings) -> list[Term]:
    """The powers that should add up to 0: sources count as positive, the load as negative."""
    load_margin_W = abs(site.load_W or 0) * TOLERANCE_PERMILLE // 1000 + TOLERANCE_W_MIN
    load = -ANY_W, load_margin_W
    if site.load_W is not None:
        load_W, unmetered_W = -site.load_W - load_margin_W, site.unmetered_W
        load = load_W - max(0, unmetered_W), -site.load_W + load_margin_W - min(0, unmetered_W)
    # Sets that alone form the voltage of an island give power. If none of them reports power, the
    # set is wrong and not the load.
    running = [source for source in site.sets if source.runs and not source.is_warming]
    is_alone = bool(running) and not site.is_forming and not any(map(gives, running))
    terms = [Term(LOAD, *load, -ANY_W, load_margin_W, is_alone)]
    rated_W = site.battery_rated_W
    terms.append(_term(BATTERY, site.battery_W, rated_W, -rated_W, _follows(site)))
    terms.append(_term(GRID, site.grid_W, ANY_W, -ANY_W, True, tolerance_W(site.connection_W)))
    for place, source in enumerate(site.sets + site.inverters):
        is_set = place < len(site.sets)
        is_sure = source.runs == 0 and not gives(source) if is_set else is_alone
        terms.append(_term(_power_of(site, place), source.power_W, source.rated_W, 0, is_sure))
    return terms


def _term(
    signal: int, power_W: int | None, most_W: int, least_W: int, is_sure: bool, margin_W: int = 0
) -> Term:
    margin_W = margin_W or tolerance_W(most_W)
    if power_W is None:
        return Term(signal, least_W, most_W, least_W, most_W, True)
    least_W, most_W = least_W - margin_W, most_W + margin_W
    return Term(signal, power_W - margin_W, power_W + margin_W, least_W, most_W, is_sure)
