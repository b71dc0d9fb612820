"""The meaning of each key of a profile, for `firebreak document profile` and `profile new`. Types
and defaults are in the forms (profile_form.py).

An entry explains every key that ends with the name of the entry. If several entries fit, the
longest one is used: "heartbeat.period_ms" before "period_ms". "top." stands for keys outside of
tables.
"""

import functools

from controller.core.base.texts import table

# key | meaning
_WORDS = """
maker | who makes the device
top.model | the model, as its document names it
family | the code that serves the device
documents | the papers that the values come from
proven | whether the profile was tried on a device, or in the rig alone
evidence | what proves the map: a reading of a device, one in its document, the map itself, nothing
evidence_of | names of the values that a reading proves; "setpoint" is one of these names
timing.period_ms | time between two reads; on CAN, of a message without its own period
turnaround_ms | time from a request to its reply; it counts as load of the bus
timing.timeout_ms | a request without a reply is lost after this time
gap_ms | pause that the device needs between two requests
phases | phases that have registers; 0: only the total
nominal_voltage_V | from phase to neutral; needed when voltages are read
refresh_ms | time over which the meter computes its means
power_tolerance_permille | how far power may exceed voltage x current, and a total
 differ from its phases
power_tolerance_W | watts added to this tolerance
inverted | true: the meter counts export as positive
reply_id_offset | unit id of a reply minus that of the request
registers.NAME.period_ms | time between two reads of a slow value; 0: as in [timing]
registers_per_read_max | most registers of one read
gap_registers_max | most unused registers between two that share a read
expiry_ms | the module sets all coils to 0 after this time without a write
check_period_ms | time between two reads of the expiry
fault_mask | bits of `status` that make the values invalid
warming_mask | bits of `status` of a detector that warms up and has no reading yet
calibrated_lfl_vol_ppm | lower flammable limit of the calibration gas
invalid_mask | bits of `status` with which the reading is refused
good_mask | bits of `status` that must be 1
base_addresses | where the mark "SunS" may begin, in this order
control_period_ms | time between two reads of what was written
scale_period_ms | time between two reads of the scale factors
heartbeat_ms_max | the heartbeat of the device must change within this time
reversion_s | the device drops a set-point after this time
restart_silence_ms | after this silence the device is identified again
retry_ms | time between two attempts to set it up
dead_time_ms | time from a set-point to the first change of power
ramp_ms | time from 0 to rated power
dc_port | port of SunSpec model 714; 0: model 802
settings.role | one of the roles that `firebreak profile new -h` lists
register_pcs.settings.repeat_ms | all frames of a set-point are sent again after this time; 0: never
setpoint_pause_ms | least time between two frames; a power of 0 does not wait
register_pcs.settings.read_back | true: function 3 reads the registers of the set-point
watchdog | what feeds the watchdog; "none": the device has none
watchdog_s | without food for this time, the device does what `on_loss` says
on_loss | what the device does by itself, in words
holds_faults | true: a fault stays until [[start]] clears it; stage 59e counts its trips
enable_input | true: a contact of the device stops it
stored | whether the device keeps the value in flash; default: as in [settings]
writes_per_day_max | most writes in a day to registers that may be stored; 0: no bound
settings.dbc | a DBC file beside the profile; "": none
node_stride | added to each id per node; 0: one rack without an address
forbidden | ids that show another dialect
cells_per_module | names the place of a cell
rack_current_mA_max | a current above this is a short circuit
voltage_permille_min | least rack voltage, as part of the lowest voltage of the limits
voltage_permille_max | highest rack voltage, as part of the charge voltage of the limits
stopped_ms | a message is missing after this time, at least three periods
close_ms | contactors that are not reported close this long after their supply
sign_readings | readings against the direction of the converter that refuse the rack
address | address on the wire, from 0
registers.NAME.type | form of the raw value; `bit`: one or more bits; floats are only read
type | form of the raw value
function | function code of Modbus
setup,start,stop.function | 3 and 4 wait for `equals`; 6 and 16 write `value`
register_bms.registers.NAME.count | of an array: most values that the device has
count | of type `bit`: so many bits; the value counts those that are 1
scale | value = raw x scale + offset; a negative scale turns the sign
unit | must end the name of the value; from another unit `scale` converts
range | a value outside is refused
direction | what is done with the register
word_order | order of the registers of a value
byte_order | order of the two bytes of a register
offset | see `scale`
registers.MODEL.NAME.offset | registers from the ID of the model
invalid | raw values that mean: no value
can_bms.signals.NAME.invalid | raw values that refuse the whole frame
can_bms.arrays.NAME.invalid | raw values of a cell that is not there
scale_from | register with a power of ten that multiplies `scale`
full_scale | highest possible value, also of a saturated cell
over_range_mask | bits of `status`: the cell is saturated
untrusted_mask | bits of `status`: the value counts as 0
write_address | address of the write; default: `address`
write_function | function code of the write
read_back | true: what was written is read and compared
positive | direction that is positive in this value; "both": see `current_direction`
count_by | parameter of the role that replaces `count`
model | SunSpec model in which `address` counts; of a list, the device has one
instance | which of the models with this id, along the chain
fixed_words | words behind a limit that another party has fixed for ever; -1: any
scale_by | parameter that multiplies `scale`
with_words | registers that follow the value in the same write
complement | true: the next register holds 65535 minus the value
repeat_ms | a value is written again after this time; default: 1000, or 600000 if it may be stored
pause_ms | least time between two writes of a changing value
mask | bits that count; the lowest of them becomes bit 0; 0: all
values | a state for each raw value
setpoint.values | values of the frame, one behind the other
identity.NAME.equals | the raw value must be one of these
setpoint.values.role | what the value is
setpoint.values.charge | raw value of this mode
setpoint.values.discharge | raw value of this mode
setpoint.values.idle | raw value of a mode that gives 0 W, if need be with a power of 0
setpoint.values.equals | raw value of a constant
release | raw value that gives the power back to the device; it is never written
setup,start,stop.repeat_ms | of a start: the write is repeated while the converter runs; 0: never
value | raw value to write
equals | raw values to wait for
timeout_ms | longest wait
fault | words for a step that fails
heartbeat.period_ms | time between two writes
count_max | the heartbeat counts from 1 to this
scale_factor | point with the power of ten
signal | its name in the DBC file, instead of a place; `scale` converts that file's unit
messages.NAME.id | id on the bus, unless `dbc` gives it; above 0x7FF it has 29 bits
messages.NAME.dbc | name of the message in the DBC file, which gives the id
sent.NAME.id | id of the frame to the BMS
extended | true: 29 bits; default: above 0x7FF
ids | number of ids of an array
id_step | from one id to the next
use | "optional": it may be missing from the start
bytes | least length
bytes_max | most length
messages.NAME.period_ms | 0: as in [timing]
messages.NAME.mux | place of the multiplexer: start, length, order
mux_values | how many values of it an array has
counter | place of the counter: start, length, order
check | check code in the last byte
message | name of its message
length | number of bits
order | "big": `start` is the highest bit, as a DBC file counts
mux | value of the multiplexer
signed | true: two's complement
otherwise | value of all raw values that `values` lacks
magnitude | true: without its sign
start | the lowest bit; with order "big" the highest
optional | true: a short frame may lack it
starts | first bits of the values of one frame
signals | their names in the DBC file, instead of `starts`
bit | first fault bit
registers | how many; 0: no serial number can be read
serial.form | ASCII characters, or one whole number
form | "zeros": 0 is active; "any": one bit for all; "pairs", "any pair": 01 is active
addressed | true: the node is added to the id
data | bytes in hexadecimal
data_close | bytes while the contactors shall be closed
asks | true: it only asks, and goes out before the rack was heard
sent.NAME.period_ms | time between two frames
register_bms.sent.NAME.data | words that are written
register_bms.sent.NAME.data_close | words while the contactors shall be closed
register_bms.sent.NAME.count_max | instead of `data`: it counts from 1 to this
register_bms.sent.NAME.period_ms | time between two writes; 0: when its words change
"""
WORDS = dict(table(_WORDS))


@functools.cache
def entry_of(key: str) -> str:
    """The entry of WORDS for a key of profile_form.every_key. KeyError: there is none."""
    parts = (key if "." in key else f"top.{key}").split(".")
    for start in range(len(parts)):
        if (name := ".".join(parts[start:])) in WORDS:
            return name
    raise KeyError(key)


def words_of(key: str) -> str:
    """The meaning of a key of profile_form.every_key."""
    return WORDS[entry_of(key)]
