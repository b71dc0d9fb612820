"""The contents of hints and of answers: numbers on the wire with their names.

New numbers are only appended. A number never changes its meaning, because senders and records keep
it. The sentence and the remedy are for people, the name and the label (H31) also for programs.
controller/hints/wire.py has the layout of the datagrams.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from controller.core.base.texts import Text, of_codes


class HintSlot(NamedTuple):
    """A new hint, as the process image holds it. source: index + 1, 0 in an empty slot; start_ms:
    time until a step of the load.
    """

    source: int
    kind: int
    quantity: int
    value_W: int
    valid_ms: int
    start_ms: int = 0


HINT_SLOTS = 8  # slots in the process image
SLOT_WORDS = len(HintSlot._fields)
HINT_WORDS = HINT_SLOTS * SLOT_WORDS

CAP = 1
REQUEST = 2
GRID_CAP = 3
HEARTBEAT = 4
EXACT = 5
NOTICE = 6
KINDS = {
    CAP: "cap",
    REQUEST: "request",
    GRID_CAP: "grid_cap",
    HEARTBEAT: "heartbeat",
    EXACT: "exact",  # a request; load tracking pauses while it acts
    NOTICE: "notice",
}

# Quantities, all W at the AC terminals. A heartbeat has 0, or the quantity that its answer reports.
CHARGE_W_MAX = 1
DISCHARGE_W_MAX = 2
POWER_W = 3
IMPORT_W_MAX = 4
EXPORT_W_MAX = 5
QUANTITIES = {
    CHARGE_W_MAX: "charge_W_max",
    DISCHARGE_W_MAX: "discharge_W_max",
    POWER_W: "power_W",
    IMPORT_W_MAX: "import_W_max",
    EXPORT_W_MAX: "export_W_max",
}
# Quantities of a notice. PRICE_IS_NEGATIVE: 1 or 0. STEP_W: coming change of the load.
PRICE_IS_NEGATIVE = 6
STEP_W = 7
NOTICES = {PRICE_IS_NEGATIVE: "price_is_negative", STEP_W: "step_W"}
KIND_OF = {
    0: HEARTBEAT,
    POWER_W: REQUEST,
    **dict.fromkeys((CHARGE_W_MAX, DISCHARGE_W_MAX), CAP),
    **dict.fromkeys((IMPORT_W_MAX, EXPORT_W_MAX), GRID_CAP),
    **dict.fromkeys(NOTICES, NOTICE),
}

ROLES = ("cap", "request", "grid_cap", "operator")  # each includes the ones before it

# The hint was taken.
GRANTED = 1
LIMITED = 2  # partly granted
CHARGING_ONLY = 3  # only narrows charging
RESTING = 4  # waits for its quota
OUTRANKED = 5
FALLBACK_RULES = 6  # waits for a heartbeat
MOVED = 7  # moved by an obligation
LATER = 8  # begins later
FARTHER = 9  # farther than the steps known
YES, PARTLY, NO = EFFECTS = ("yes", "partly", "no")  # whether a hint is in force
# Messages of unknown senders: they are only counted and never get a reply.
WRONG_LENGTH = 11
WRONG_MAGIC = 12
UNKNOWN_SOURCE = 13
NO_KEY = 14
BAD_MAC = 15
# The key was right, but the hint was refused.
OTHER_BOOT = 21
OLD_SEQUENCE = 22
TOO_LATE = 23
TOO_EARLY = 24  # sent in the future
UNKNOWN_KIND = 25
WRONG_QUANTITY = 26
WRONG_VALUE = 27  # value out of range
START_FAR = 28  # starts too late
WRONG_SLOT = 29
VALID_SHORT = 30  # valid for too short
VALID_LONG = 31  # valid for too long
ROLE = 32  # role not allowed
RATE = 33  # too many a second
BUSY = 34
OTHERS_SCHEDULE = 35
EPOCH_UNSTORED = 36  # epoch not stored yet
# Used by the door `local`, which has no key, and by tools. The controller never sends them.
NOT_UNDERSTOOD = 41
NO_CONTROLLER = 42
NO_ANSWER = 43
CROWDED = 44  # too many connections

# constant | name | sentence | remedy
_TEXTS = """
GRANTED | granted | The hint is in force as asked. | Renew it when a third of its validity has
  passed.
LIMITED | partly granted | The hint is known; limits leave a part of it, or nothing. | Read
  the reasons of the available power and the binding one; nothing need be sent again.
CHARGING_ONLY | only narrows charging | The source lacks the role grid_cap: its import maximum
  narrows charging. | Give the source the role grid_cap in site.toml if it is to oblige the battery.
RESTING | waits for its quota | The request is known but waits: its energy of this hour is spent. |
  Wait, or raise energy_Wh_per_h_max of the source in site.toml.
OUTRANKED | outranked | The request is known; another source's request comes first. | Nothing: it
  acts when the other one expires.
FALLBACK_RULES | waits for a heartbeat | The hint is known; after an expiry the fallback rules until
  then. | Send a heartbeat that is valid as long as the hint.
MOVED | moved by an obligation | The request is known; an obligation at the grid wants another
  power. | Nothing: it acts when the obligation allows it; low_reason and high_reason say whose that
  is.
LATER | begins later | The hint is stored and begins at its start time; a newer one of its quantity
  replaces it. | Nothing. After a restart of the controller send it again.
FARTHER | farther than the steps known | The source has four nearer steps to come, so this one is
  not stored. | Send it again when the first of them has passed.
WRONG_LENGTH | wrong length | A datagram had the length of no message: hint 88 or 96 bytes, hello,
  status 20, schedule 88 + 14 for each of at most 96 slots. | Send the fixed layout, one hint per
  datagram.
WRONG_MAGIC | wrong magic | A datagram began with none of FBH1, FBH2, FBQ1, FBS1, FBP1, FBG1. | Use
  this version's layout.
UNKNOWN_SOURCE | unknown source | A datagram named a source that site.toml does not have. | Add
  [source.NAME] to site.toml or correct the name.
NO_KEY | no key | The source has no key here. | firebreak key create NAME
BAD_MAC | bad MAC | The authentication code does not fit the key of the source. | Compare
  fingerprints (firebreak key list); sign all bytes before it.
OTHER_BOOT | other boot | The nonce is not of this run of the controller: it has restarted. | Send a
  hello (FBQ1), take nonce, uptime and sequence from the answer, sign again.
OLD_SEQUENCE | old sequence | The sequence is not above the last one taken: replayed or reordered. |
  Count up by one per hint; a hello tells the highest one seen.
TOO_LATE | too late | The hint was sent more than 2 s ago. | Send a hello (FBQ1), take nonce, uptime
  and sequence from the answer, sign again.
TOO_EARLY | sent in the future | The hint says it was sent later than now. | Send a hello (FBQ1),
  take nonce, uptime and sequence from the answer, sign again.
UNKNOWN_KIND | unknown kind | There is no such kind of hint. | Send kind 1 .. 6.
WRONG_QUANTITY | wrong quantity | The quantity does not belong to this kind. | cap: 1, 2; request,
  exact: 3; grid_cap: 4, 5; heartbeat: 0 .. 5; notice: 6, 7.
WRONG_VALUE | value out of range | The value is outside what the quantity may be. | Send W: 0 ..
  10^9 for a maximum, -10^9 .. 10^9 for a request or a step, 0 for a heartbeat; 0 or 1 for a
  negative price. The epoch of a heartbeat with a quantity is below 2^31.
START_FAR | starts too late | The hint begins more than an hour ahead, the schedule more than a week
  ahead, or a heartbeat has a start time. | Send it later, or send a schedule, whose start is in
  minutes since 1970; a heartbeat begins at once.
WRONG_SLOT | wrong slot | The header or a slot of the schedule is not allowed; nothing of it was
  taken. | Slots of 1 .. 60 min. Grid cap 0 .. 10^9 W, battery low <= high within +-10^9 W, or -2^31
  for no bound; reserve 0 .. 1000 permille.
VALID_SHORT | valid for too short | The validity is shorter than 1 s. | Send valid for >= 1 s.
VALID_LONG | valid for too long | The validity is longer than the source may ask for. | Send a
  shorter validity and renew it.
ROLE | role not allowed | The role of the source does not include this kind. | Raise role of the
  source in site.toml, or send what it may.
RATE | too many a second | The source sends more hints a second than it may. | Send less often: once
  per third of the validity is enough.
BUSY | busy | Too many hints came in this tick. | Send it again with the next sequence.
OTHERS_SCHEDULE | another's schedule | The schedule of a source that comes first is in force, and
  its heartbeat is valid. | Wait until that source ends its schedule, or change priority in
  site.toml.
EPOCH_UNSTORED | epoch not stored yet | The heartbeat begins a new epoch, which is not on the disk
  yet. | Send it again with the next sequence, after a second.
NOT_UNDERSTOOD | not understood | The message is no hint, schedule, hello, status, head or ask as
  described. | Read controller/doors/local/SENDING.md.
NO_CONTROLLER | no controller | No controller runs in the run directory. | See firebreak status.
NO_ANSWER | no answer | No answer came within 2 s. The hint may be in effect all the same. |
  firebreak sources counts unknown sources, wrong keys and answers not taken.
CROWDED | too many connections | The gateway serves as many connections as it can. | Close
  connections that are not used; one carries many hints.
"""
TEXTS = of_codes(globals(), _TEXTS)
UNKNOWN = "This release does not know the code, so the hint counts as refused."


def arrived(inp: Sequence[int], first: int) -> Iterator[HintSlot]:
    """The hints of one tick, from the slot at inp[first] on."""
    for start in range(first, first + HINT_WORDS, SLOT_WORDS):
        if not inp[start]:
            return
        yield HintSlot._make(inp[start : start + SLOT_WORDS])


def fits(kind: int, quantity: int) -> bool:
    """True when the quantity belongs to this kind."""
    return KIND_OF.get(quantity) == kind or (kind, quantity) == (EXACT, POWER_W)


def taken(code: int) -> bool:
    """True when the hint of this result code was taken into the core. An unknown code is no."""
    return code in TEXTS and code < WRONG_LENGTH


def effect(code: int, asked_W: int, granted_W: int) -> str:
    """One of EFFECTS. YES: in force as asked, now or at its start time. NO: no part of it acts."""
    if code in (GRANTED, LATER):
        return YES
    is_partly = code == CHARGING_ONLY or (code == LIMITED and (granted_W != 0 or asked_W == 0))
    return PARTLY if is_partly else NO


def label(code: int) -> str:
    """Code as the screens show it: H31."""
    return f"H{code}"


def text(code: int) -> Text:
    """(name, sentence, remedy) of a code, which may be of a later release."""
    return TEXTS.get(code) or (f"unknown code {code}", UNKNOWN, "Install the later release here.")
