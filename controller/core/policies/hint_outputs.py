"""Layout of the words that the hint table (hint_table.py) publishes about the hints in force."""

from itertools import product

from controller.core.base import hint_codes
from controller.core.base.hint_sources import QUANTITIES

# These words are published behind the chain's trace, and behind them OUTPUT_FIELDS of each quantity
# of each source.
_WAYS = ("control", "charge", "discharge", "import", "export")
HINT_OUTPUTS = (*[f"hint_{way}_source" for way in _WAYS], "remaining_Wh")
O_CONTROL_SOURCE, O_CHARGE_SOURCE, O_DISCHARGE_SOURCE, O_IMPORT_SOURCE = range(4)
O_EXPORT_SOURCE, O_REMAINING_WH = 4, 5
OUTPUT_FIELDS = ("value_W", "valid_s", "state")
F_VALUE_W, F_VALID_S, F_STATE = range(3)
# State of a quantity. none: nothing is in force. valid: the hint is in force.
# fallback: the fallback is in force instead. resting: a request waits for its quota.
STATES = ("none", "valid", "fallback", "resting")
NONE, VALID, FALLBACK, RESTING = range(4)


def output_count(source_count: int) -> int:
    """Words published for this number of sources."""
    return len(HINT_OUTPUTS) + source_count * len(QUANTITIES) * len(OUTPUT_FIELDS)


def output_at(source_index: int, quantity: int, field: int) -> int:
    """Place of a field (F_...) of a source's quantity (hint_codes) among the published words."""
    entry = source_index * len(QUANTITIES) + QUANTITIES.index(quantity)
    return len(HINT_OUTPUTS) + entry * len(OUTPUT_FIELDS) + field


def output_names(source_count: int) -> list[str]:
    """Names of the published words: hint_control_source,
    source_0.import_W_max_value_W and so on.
    """
    places = product(range(source_count), hint_codes.QUANTITIES.values(), OUTPUT_FIELDS)
    fields = [f"source_{index}.{name}_{field}" for index, name, field in places]
    return [*HINT_OUTPUTS, *fields]
