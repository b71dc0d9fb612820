"""Name, sentence and remedy of every reason code (reasons.py of core) for the screens."""

from controller.core import functions
from controller.core.base import reasons
from controller.core.base.reasons import INHIBIT, KERNEL_CHARGE, KERNEL_DISCHARGE, ROW
from controller.core.base.texts import Text, table
from controller.rows.records import ROWS, STAGES
from controller.rows.shapes import CHECK_RTU, MatrixStage
from safety import matrix

_PROGRAM_FAULT = "Program fault: export the journal and report it."

# kernel limit | name | sentence | remedy, in the kernel's order; {} is "charge" or "discharge".
_LIMITS = """
pcs_rated | PCS {} rating | The power converter is at its rated {} power. | Nothing: the request is
  above the rating.
installer | installer {} limit | The installer set a lower {} power than the converter's rating. |
  Ask the installer if the site has changed.
bms_current | BMS {} limit | A BMS limits the {} current; the rack with the lowest limit decides for
  its whole bus. | See page Racks: cell voltages, spread and temperatures of the rack with the
  lowest limit.
cell_voltage_taper | cell voltage, {} | A cell is near the end of its voltage range; {} power is
  reduced. | Nothing now. If the limit stays while the battery is half full, look for a weak cell.
temperature_taper | cell temperature, {} | A cell is warm or cold; {} power falls as its temperature
  nears the limit. | Page Racks shows the temperatures. Warm: check cooling, filters and the room.
  Cold: check the heater.
bms_silence | BMS late, {} | No valid frame from a BMS for more than 0.5 s; {} power goes to zero. |
  Check its CAN plug, terminator and supply.
derate | interlock derate, {} | An interlock row reduces {} power. | See page Alarms for the row and
  its remedy.
inhibit | interlock, no {} | An interlock row allows no {} power. | See page Alarms for the row and
  its remedy.
ramp_to_zero | interlock ramp, {} | An interlock row takes {} power to zero within 2 s. | See page
  Alarms for the row and its remedy.
stop | stopped, no {} | An interlock row has stopped the power converter; no {} power. | See page
  Alarms: remove the cause, then reset as the row says.
permit | not running, no {} | The cabinet is not running, so there is no {} power. | See what the
  start waits for, or request a start.
soc_taper | state of charge, {} | The state of charge is near its limit; {} power is reduced. |
  Nothing: the power rises again when the battery leaves that limit.
test | test mode, {} | Test mode allows 5 % of the rated {} power. | Nothing: it ends by itself.
"""
KERNEL_LIMITS = [cells[0] for cells in table(_LIMITS)]

# constant of reasons.py | name | sentence | remedy
_PLAIN = """
NONE | not acting | Nothing limits the power here. | Nothing.
NO_REQUEST | no request | There is no request for power. | Nothing.
GRID_OPERATOR | grid operator | An instruction of the grid operator is in force. | See page Sources
  for its source and validity.
PV_ABSORPTION | PV absorption | The battery charges with PV power that may not be exported. |
  Nothing.
SETPOINT_RAMP | set-point ramp | The set-point moves no faster than the ramp of this site. |
  Nothing.
DEVICE_RANGE | range of the device | The device can give no more than this. | Nothing.
DEVICE_SILENT | device not heard | A site device does not answer, or its report is refused: it is
  asked for 0. | Check its supply, its address and its RS-485 pair.
DEVICE_ESTOP | emergency stop, site device | An emergency stop is active or latched: the device goes
  to 0, or stays as it is. | See page Alarms for the row and its remedy.
WRITE_BUDGET | write budget of the day | The converter stores each set-point and may store no more
  today: it gets less power, or 0. | Ask for fewer changes; the budget is writes_per_day_max of its
  profile.
GATE_PERMIT | start without a permit | The program asked the converter to start, or to clear its
  failures, without a permit; that frame was not sent. | Program fault: export the journal and
  report it.
STARTS_SPENT | starts of the hour | The converter had 12 starts within an hour: it
  gets none until the first of them is an hour old. | Page Links and the converter show why it
  stops. A restart of the controller begins a new hour.
RUNS_ON | does not follow its stop | The converter acknowledged its stop more than 10 s ago, and no
  reading shows that it has stopped. | Stop it at its own switch; see page Links for its readings.
START_HELD | start after a fault | The converter was in its state "fault" since it got its permit:
  it gets no start before a reset. | Read the fault on its display and remove the cause. Row 59
  becomes active within 5 s; then reset.
SIGN_DUE | start before the sign test | The sign test of this converter is due: it gets no start. |
  Stop the cabinet; then `firebreak test sign` in TEST mode.
LEAST_TIME | least on or off time | The device must run, or stand, for its least time before it may
  change. | Wait. The times are on_s_min and off_s_min of the device.
"""

# A set-point frame that the gate refused. In each case the controller sends the stop frame instead.
# constant of reasons.py | name | fault of the frame | remedy; without a remedy the program is the
# cause
_GATE = """
GATE_LENGTH | frame length | had the wrong length
GATE_UNIT_ID | frame address | was for another device
GATE_FUNCTION | frame function | was no register write
GATE_ADDRESS | frame register | was for another register | Compare the PCS profile with the firmware
  of the converter; then report the fault.
GATE_COUNT | frame size of value | held no 32-bit power
GATE_CRC | frame checksum | had a wrong checksum
GATE_CHARGE | frame over charge limit | was above the charge limit
GATE_DISCHARGE | frame over discharge limit | was above the discharge limit
GATE_RANGE | frame out of range | asked a site device for too much
"""

# The conditions of a start, in the order of the codes from INHIBIT on. Code 712 is no longer used,
# because row 47 covers its condition.
_INHIBITS = f"""
nothing missing | The cabinet can start. | Nothing.
interlock | An interlock row keeps the contactors open. | See page Alarms for the row and its
  remedy.
I/O module 1 | I/O module 1 has not answered. | Check its supply, its address (1) and its RS-485
  pair.
I/O module 2 | I/O module 2 has not answered. | Check its supply, its address (2) and its RS-485
  pair.
meter | The grid meter or the load meter has not answered. | {CHECK_RTU}
gas detectors | A gas detector gives no valid reading, or is warming up. | {CHECK_RTU}
PCS | A power converter has not answered, or does not accept remote set-points. | Check its supply
  and its RS-485 pair. Switch it to remote control.
BMS | A BMS has not sent all its messages. | Check its CAN plug, terminator, node number and supply.
cells missing | A rack reports fewer cells than it has. | See page Racks. Check the cables between
  the modules of that rack.
contactor not open | A rack reports a contactor that is not open. | Do not touch. Check whether the
  contactor has welded.
permit relay not dropped | A permit relay reads closed although its permit is off. | Check the
  safety relay and its read-back contact.
current not zero | Current flows although all contactors should be open. | Do not touch. Check the
  contactors and the current sensors.
key not in RUN | The key switch is not in RUN. | Turn the key to RUN when the cabinet may start.
rack voltages differ | The voltages of the racks on one bus differ too much to connect the racks. |
  Charge or discharge the rack that differs, alone, until the voltages agree.
waiting after a try | The contactors did not close; the controller waits before the next try. | See
  page Alarms for what did not close.
I/O module 3 | I/O module 3 has not answered. | {CHECK_RTU}
climate monitor | The climate monitor has not answered. | {CHECK_RTU}
UPS monitor | The UPS monitor has not answered. | {CHECK_RTU}
locked out | A person has locked the cabinet out. | Ask the person who set the lock-out: the same
  person, or the key, ends it.
permit of channel B | Channel B is silent, disagrees, or gives no permit. | Check its lamp and link.
  It may wait for a reset, or run another version or image.
cause of a row | The cause of an interlock row is present, but not yet for its debounce time. |
  Wait: the cause ends, or an alarm names the row.
"""


def _of_gate() -> dict[int, Text]:
    texts = {}
    for key, name, wrong, *remedy in table(_GATE):
        sentence = f"A set-point frame {wrong}; the controller sent the stop frame instead."
        texts[getattr(reasons, key)] = name, sentence, "".join(remedy) or _PROGRAM_FAULT
    return texts


def _of_limits(way: str, codes: tuple[int, ...]) -> dict[int, Text]:
    return {
        code: (name.format(way), sentence.format(way), remedy.format(way))
        for code, (_, name, sentence, remedy) in zip(codes, table(_LIMITS))
    }


# code -> (name, sentence, remedy)
TEXTS = {
    **functions.TEXTS,
    **reasons.texts(_PLAIN),
    **_of_gate(),
    **_of_limits("charge", KERNEL_CHARGE),
    **_of_limits("discharge", KERNEL_DISCHARGE),
    **{
        INHIBIT + index: (name, sentence, remedy)
        for index, (name, sentence, remedy) in enumerate(table(_INHIBITS))
    },
    **{ROW + row.number: (row.name, row.sentence, row.remedy) for row in ROWS.values()},
}


def stage_text(stage: MatrixStage) -> tuple[str, str, str]:
    """(name, sentence, remedy) of a stage of the matrix; the row's texts if the stage has none."""
    name, sentence, remedy = TEXTS[ROW + stage[matrix.S_ROW]]
    own = STAGES[stage[matrix.S_ID]]
    return name, own.sentence or sentence, own.remedy or remedy


def text(code: int) -> tuple[str, str, str]:
    """(name, sentence, remedy) of a code; KeyError for an unknown code."""
    return TEXTS[code]
