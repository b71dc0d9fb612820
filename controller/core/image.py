"""The process image: what drivers write between ticks, and what a tick freezes.

Drivers (and the shell, for the local signals) write into `inp` and set `fresh` bytes at any time
between two ticks; `freeze` copies both into the core's arrays at once, so nothing a tick looks at
changes under it. Behind the kernel's inputs lie the slots for the hints of one tick: source + 1 (0:
empty), kind, quantity, value_W, valid_ms; and behind them, per unit, the set-point that was sent
last and its code (controller/core/sent.py), the time left of a lamp test, ms, who has locked the
cabinet out, why it rests (controller/run/run_request.py), what stands in the second channel,
whether the process has been told to end, and how a reset has ended that the kernel was not given.
Of the words behind the hints the core looks at the lamp test alone: the others are for whoever
reads the journal.
"""

from array import array

from controller.core.integers import within
from safety import signals as s

HINT_SLOTS = 8
SLOT = ("source", "kind", "quantity", "value_W", "valid_ms")
SLOT_WORDS = len(SLOT)
HINT_WORDS = HINT_SLOTS * SLOT_WORDS
HINT_INPUTS = tuple([f"hint_{slot}.{word}" for slot in range(HINT_SLOTS) for word in SLOT])
SENT = ("sent_W", "sent_code")
OPERATOR = ("lamp_test_ms", "locked_out_0", "locked_out_1", "locked_out_2", "locked_out_3")
NAME_CHARACTERS_MAX = 4 * (len(OPERATOR) - 1)  # of a person, in ASCII, four to a word
REST = ("rest_code", "rest_0", "rest_1", "rest_2", "rest_3")
PEER = ("peer_first_out", "peer_cause_mask")  # of channel B's own instances and kernel
IS_ENDING = "is_ending"  # 1: the process has been told to end; what rests otherwise goes on
# that ended in this tick without the kernel; kind 0: none did
VOID_RESET = ("void_reset_kind", "void_reset_answer")
PEER_EMPTY = (-1, 0)  # nothing stands there, it is not heard, or there is none


def own_names(units):
    """Names of the words behind the kernel's inputs."""
    return [
        *HINT_INPUTS,
        *[f"unit_{unit}.{word}" for unit in range(units) for word in SENT],
        *OPERATOR,
        *REST,
        *PEER,
        IS_ENDING,
        *VOID_RESET,
    ]


def words(layout):
    """Words of a whole image of inputs."""
    return void_reset_at(layout) + len(VOID_RESET)


def void_reset_at(layout):
    """Place of the VOID_RESET words."""
    return ending_at(layout) + 1


def ending_at(layout):
    """Place of the word IS_ENDING."""
    return peer_at(layout) + len(PEER)


def peer_at(layout):
    """Place of the PEER words."""
    return rest_at(layout) + len(REST)


def rest_at(layout):
    """Place of the REST words."""
    return operator_at(layout) + len(OPERATOR)


def operator_at(layout):
    """Place of the OPERATOR words."""
    return sent_at(layout, layout.units)


def packed_name(name):
    """Four words that hold a name of at most NAME_CHARACTERS_MAX ASCII characters."""
    return array("i", name.encode("ascii").ljust(NAME_CHARACTERS_MAX, b"\0"))


def name_of(words_):
    """The name in such words, "" when there is none."""
    return bytes(array("i", words_)).rstrip(b"\0").decode("ascii", "replace")


def sent_at(layout, unit):
    """Place of a unit's SENT words."""
    return layout.inputs + HINT_WORDS + unit * len(SENT)


class ProcessImage:
    """Live inputs and freshness bytes of one cabinet, indexed like safety.signals.Layout, then our
    own words.
    """

    def __init__(self, layout):
        self.layout = layout
        self.inp = array("i", [0] * words(layout))
        self.inp[peer_at(layout) : ending_at(layout)] = array("i", PEER_EMPTY)
        self.hints = 0  # slots filled since the last freeze
        self.fresh = bytearray(layout.groups)
        self._none = bytes(layout.groups)

    def freeze(self, inp, fresh):
        """Copy everything into `inp` and `fresh`, then forget what was fresh and the one-tick
        commands.
        """
        self.fresh[s.G_LOCAL] = 1
        inp[:] = self.inp
        fresh[:] = self.fresh
        self.fresh[:] = self._none
        self.inp[s.RESET_KIND] = 0
        if self.hints:
            first = self.layout.inputs
            self.inp[first : first + HINT_WORDS] = array("i", [0] * HINT_WORDS)
            self.hints = 0

    def add_hint(self, source_index, kind, quantity, value_W, valid_ms):
        """Fill the next free slot with a hint; returns the number of the slot, None when all are
        taken.
        """
        slot = self.hints
        if slot == HINT_SLOTS:
            return None
        content = (
            source_index + 1,
            kind,
            quantity,
            within(value_W, -s.INT_MAX, s.INT_MAX),
            within(valid_ms, 0, s.INT_MAX),
        )
        at = self.layout.inputs + slot * SLOT_WORDS
        self.inp[at : at + SLOT_WORDS] = array("i", content)
        self.hints = slot + 1
        return slot
