"""The meaning and the unit of each key of a profile: for skeletons and for drivers/README.md.

The forms have the types and defaults. A key here stands for each key of the forms that ends so, and
the longest one counts: "heartbeat.period_ms" before "period_ms".
"""

import functools

from controller.core.base.texts import table

# key | meaning
_WORDS = """
maker | who makes the device
model | the model, as its document names it
family | the code that serves it
documents | the papers that the values are from
proven | the profile was tried against the rig alone, or on a device
evidence | what proves the map: a reading of a device, of its document, made by the map, none
evidence_of | the names that a reading of a device or of its document proves, also "setpoint"
timing.period_ms | between two reads; of CAN: of a message without a period of its own
turnaround_ms | from request to reply, for the load of the bus
timing.timeout_ms | then a request counts as lost
gap_ms | pause that the device needs between two requests
phases | phases that the registers have; 0: the total alone
nominal_voltage_V | phase to neutral; needed with voltages
refresh_ms | time over which the meter computes each mean
power_tolerance_permille | of power above voltage x current, and between a total and its phases
power_tolerance_W | ... plus this
inverted | true: the meter counts export as positive
reply_id_offset | a reply comes from the unit id of the request plus this
registers.NAME.period_ms | 0: that of timing; read more seldom
registers_per_read_max | most registers of one read
gap_registers_max | most unused registers between two that share a read
expiry_ms | all coils are 0 after this time without a write
check_period_ms | between two reads of the expiry
fault_mask | bits of `status` that make the values invalid
warming_mask | bits of a detector that warms up: no reading yet
calibrated_lfl_vol_ppm | LFL of the calibration gas
invalid_mask | bits of `status` with which the reading is refused
good_mask | bits of `status` that must be 1
base_addresses | where the chain "SunS" may begin
control_period_ms | between two reads of what was written
scale_period_ms | between two reads of the scale factors
heartbeat_ms_max | the device's heartbeat must change within this time
reversion_s | the device drops a set-point after this time
restart_silence_ms | after this silence the device is found anew
retry_ms | between two attempts to start it up
dead_time_ms | from a set-point to the first change of power
ramp_ms | from 0 to rated power
dc_port | port of model 714; 0: model 802
settings.role | the role of the device (`controller/core/site_devices/roles.py`)
register_pcs.settings.repeat_ms | all frames of a set-point are written again; 0: not
setpoint_pause_ms | least time between two frames, but a 0 does not wait
register_pcs.settings.read_back | the registers of the set-point can be read with function 3
watchdog | what feeds the watchdog; "none": the device has none
watchdog_s | then the device does what `on_loss` says
on_loss | what the device does by itself, in words
holds_faults | the device shows a fault until [[start]] clears it: its trips count by stage 59e
enable_input | the device has a contact that stops it
stored | whether the device keeps in flash what is written; without it as in settings
writes_per_day_max | writes in a day to registers that are not stored = "no"; 0: no bound
settings.dbc | a DBC file beside the profile; "": none
node_stride | added to each id per node; 0: no address, one rack on its bus
forbidden | ids that show another dialect
cells_per_module | to name the place of a cell
rack_current_mA_max | a current above is a short circuit
voltage_permille_min | of the lowest voltage of the limits
voltage_permille_max | of the charge voltage of the limits
stopped_ms | a message is missing after this time and three periods
close_ms | contactors that are not reported close so long after their supply
sign_readings | readings against the converter's direction until the rack is refused
registers.NAME.address | of the read, as on the wire (base 0)
address | as on the wire (base 0)
registers.NAME.type | `bit`: one or more bits; floats are read only
type | of the value
registers.NAME.function | of the read
identity.NAME.function | of the read
setpoint.function | of the write
heartbeat.function | of the write
function | 3 and 4 wait for `equals`, 6 and 16 write `value`
register_bms.registers.NAME.count | of an array: the most values that the device has
count | of `bit`: the value is how many of so many bits are 1
scale | value = raw x scale + offset; negative turns the sign
unit | only the unit that ends the name; another unit needs a `scale`
range | a value outside is refused
direction | what is done with the register
word_order | of registers
byte_order | of the two bytes of a register
offset | see `scale`
registers.MODEL.NAME.offset | registers from the ID of the model
invalid | raw values that are no value
can_bms.signals.NAME.invalid | a raw value of these refuses the frame
can_bms.arrays.NAME.invalid | raw values of a cell that is not there
scale_from | the register of a power of ten by which `scale` is multiplied
full_scale | most that the value may be, also of a saturated cell
over_range_mask | bits of `status`: the cell is saturated
untrusted_mask | bits of `status`: the value counts as 0
write_address | as `address`
write_function | of the write
read_back | what was written is read and compared
positive | which way is positive, of the DC current or power; "both": see `current_direction`
count_by | a parameter of the role: so many of the `count` bits
NAME.model | SunSpec model in which `address` counts; a list: one of them
setpoint.model | SunSpec model in which `address` counts; a list: one of them
setup,start,stop.model | SunSpec model in which `address` counts; a list: one of them
heartbeat.model | SunSpec model in which `address` counts; a list: one of them
serial.model | SunSpec model in which `address` counts; no value depends on it
instance | which of the models with this id, in the order of the chain
fixed_words | words behind a limit that somebody has fixed for ever; -1: any
scale_by | a parameter of the role by which `scale` is multiplied
setpoint.values.scale_by | `scale` is multiplied by the rating
with_words | registers that follow the value in the same write
complement | the next register is 65535 less the value's
repeat_ms | a value is written again so often; none: 1000, or 600000 if it may be stored
pause_ms | between two writes of a value that changes
mask | bits that count, as a number from the lowest of them on; 0: all
values | {raw = value} of states
setpoint.values | the values of the frame, one behind the other
identity.NAME.equals | the raw value must be one of these
setpoint.values.role | what the value is
setpoint.values.charge | raw value of the mode
setpoint.values.discharge | raw value of the mode
setpoint.values.idle | raw value of a mode that gives 0 W, or of one that does so with a power of 0
setpoint.values.equals | raw value of a constant
release | raw value that gives the power back to the device: it is never written, 0 W is held
setup,start,stop.repeat_ms | of a start: the write is repeated while the converter runs; 0: not
value | raw value to write
equals | raw values to wait for
timeout_ms | of the wait
fault | words for a step that fails
heartbeat.period_ms | between two writes
count_max | it counts from 1 to this
scale_factor | the point with the power of ten
signal | its name in the DBC file instead of its place; `scale` then turns its unit into ours
messages.NAME.id | or `dbc`; above 0x7FF it has 29 bits
messages.NAME.dbc | the name of the message in the DBC file: it gives the id
sent.NAME.id | of the frame to the BMS
extended | 29 bits; by default above 0x7FF
ids | so many ids, for an array
id_step | from one id to the next
use | "optional" ids may be missing from the start
bytes | least length
bytes_max | most length
messages.NAME.period_ms | 0: that of timing
messages.NAME.mux | place of the multiplexer: start, length, order
mux_values | so many values of it, for an array
counter | place of the counter: start, length, order
check | of the last byte
message | name of its message
length | bits
order | "big": `start` is the highest bit, as a DBC counts
mux | value of the multiplexer
signed | two's complement
otherwise | value of a raw value that `values` does not have
magnitude | without its sign
start | the lowest bit, of "big" the highest
optional | a short frame may lack it
starts | of the values of one frame
signals | their names in the DBC file instead of `starts`
bit | first fault bit
registers | how many of them; 0: no serial number can be read
serial.function | of the read
serial.form | ASCII characters, or one whole number
form | "zeros": 0 is active; "any": one bit for all; "pairs", "any pair": 01 is active
addressed | the node is added to the id
data | bytes in hexadecimal
data_close | bytes while the contactors shall be closed
asks | it only asks, and goes out before the rack was heard
sent.NAME.period_ms | between two frames
register_bms.sent.NAME.function | of the write
register_bms.sent.NAME.data | words that are written
register_bms.sent.NAME.data_close | words while the contactors shall be closed
register_bms.sent.NAME.count_max | instead of data: it counts from 1 to this
register_bms.sent.NAME.period_ms | between two writes; 0: when its words change
"""
WORDS: dict[str, str] = {key: words for key, words in table(_WORDS)}
UNITS = ("ms", "s", "V", "W", "mA", "permille", "vol_ppm")


@functools.cache
def words_of(key: str) -> str:
    """The meaning of a key of profile_form.every_key; KeyError: it has none."""
    parts = key.split(".")
    found = [".".join(parts[at:]) for at in range(len(parts))]
    return next(WORDS[each] for each in found if each in WORDS)


def unit_of(key: str) -> str:
    """The unit in the name of a key, "" for none."""
    name = key.rpartition(".")[2].removesuffix("_max").removesuffix("_min")
    found = [unit.rpartition("_")[2] for unit in UNITS if name.endswith(f"_{unit}")]
    return found[0] if found else ""
