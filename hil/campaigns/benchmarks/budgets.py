"""The budgets of the design as data, and how a figure is held against one.

A limit is the larger of a fixed number and a multiple of what the rival needed at the same time on
the same machine.
"""

from typing import NamedTuple


class Budget(NamedTuple):
    """`text` as the design says it. The limit: max(`fixed`, `factor` x rival), in the unit of the
    figure; "at least" budgets have `at_least`. `without`: why there may be no figure.
    """

    what: str
    text: str
    fixed: float = None
    factor: float = None
    at_least: bool = False
    without: str = "not among these results"


BUDGETS = {
    "estop_modbus": Budget(
        "E-stop press to the last permit byte, Modbus I/O", "p99 <= 75 ms", 75.0
    ),
    "estop_gpio": Budget(
        "E-stop input to permit bytes, GPIO",
        "p99 <= 50 ms",
        50.0,
        without="no GPIO driver is built yet",
    ),
    "lateness_idle": Budget(
        "wake-up lateness p99.9 under FIFO, idle", "<= max(1 ms, 1.5 x cyclictest)", 1000.0, 1.5
    ),
    "lateness_stress": Budget(
        "wake-up lateness p99.9 under FIFO, CPU stress", "<= 4 x cyclictest", None, 4.0
    ),
    "missed_in_a_row": Budget(
        "deadlines missed, two or more in a row", "never unless cyclictest stalled too", 0.0, 1.0
    ),
    "step_1": Budget("kernel step, 1 rack, median", "<= 0.1 ms", 100.0),
    "step_16": Budget("kernel step, 16 racks, median", "<= 1 ms", 1000.0),
    "channel_b": Budget(
        "kernel step on channel B",
        "<= 250 000 instructions",
        250_000.0,
        without="measured by python -m hil mcu",
    ),
    "channel_b_trips": Budget(
        "kernel step on channel B, whatever trips",
        "<= 225 000 instructions",
        225_000.0,
        without="measured by python -m hil mcu",
    ),
    "channel_b_expiry": Budget(
        "permit of channel B without renewal or news",
        "<= 0.5 s",
        500.0,
        without="measured by python -m hil mcu",
    ),
    "start": Budget("exec to first tick", "<= 1 s", 1000.0),
    "private_memory": Budget("memory private to the controller", "<= 45 MiB", 45.0),
    "pod_memory": Budget("own memory of each controller of a pod", "<= 40 MiB", 40.0),
    "status": Budget("firebreak status", "<= 0.3 s", 300.0),
    "rtu_transaction": Budget("RTU transaction", "<= 1.5 x libmodbus on the same pty", None, 1.5),
    "rtu_paced": Budget("RTU cycle paced to 19200 Bd", "<= 1.1 x wire time", None, 1.1),
    "hint_to_wire": Budget(
        "hint in to new set-point on the wire", "p99 <= 2 ticks + in-flight + frame", None, 1.0
    ),
    "virtual_speed": Budget(
        "virtual time, byte-accurate at 20 ms, full plant, faults, observer",
        ">= 50 x",
        50.0,
        at_least=True,
    ),
    "virtual_no_bytes": Budget(
        "virtual time without bytes at 100 ms",
        ">= 500 x",
        500.0,
        at_least=True,
        without="that mode is not built yet",
    ),
}


def limit(budget, rival_value):
    """The limit in the figure's unit; None when it needs a rival that was not there."""
    parts = [] if budget.fixed is None else [budget.fixed]
    if budget.factor is not None and rival_value is not None:
        parts.append(budget.factor * rival_value)
    return max(parts) if parts else None


def met(budget, value, bound):
    """True or False; None when there is nothing to judge by."""
    if bound is None or value is None:
        return None
    return value >= bound if budget.at_least else value <= bound
