"""Fields of `firebreak status --json`: name | type | meaning. A type with `?` may be null, one with
`!` is missing without a record. `[]`, `{}`: each element. A name ends with its unit."""

FIELDS = """
cabinet | text | its name and serial number
state | text | of the power: only running gives or takes any
mode | reason? | with the grid or on its own
uptime_ms | int | since the start of the controller
sequence | int | ticks since then
locked_out_by | text? | the person who forbids running
test_left_ms | int? | of a test with lowered limits
danger | object | of the most dangerous row that is active or latched
danger.level | int | 0 is a warning
danger.name | text | its name
danger.words | text | what to do
contradicted[] | object | a signal that other measurements contradict
contradicted[].signal | text | its name
contradicted[].reason | reason? | by which measurements
lamp | text | off, amber or red
horn_is_on | bool | the horn sounds
gas_lfl_permille[] | int? | of each gas detector, of the lower flammable limit
vapour_ppm[] | int? | of each detector of vapour
toxic_ppm[] | int? | of each detector of toxic gas
contacts{} | text | of each contact: ok, idle, not fitted or what it reports
interlocks | object | counts of rows of the matrix
interlocks.armed | int | rows that act here
interlocks.built | int | rows of the matrix
interlocks.tripped | int | rows that stop power now
interlocks.warnings | int | rows that only warn now
interlocks.not_fitted | int | rows whose equipment the site does not have
standing[] | alarm | each row that is active or latched, the most dangerous first
channel_b | object? | what tripped the second channel
channel_b.stage | text | stage of the matrix
channel_b.name | text | its name
channel_b.reset | text | which reset it needs
reset | object | what a reset needs now
reset.code | text? | the code that names what tripped
reset.command | text? | the command to type
soc_permille_min | int? | charge of the emptiest rack
soc_permille_max | int? | charge of the fullest rack
soh_permille_min | int | health of the most worn rack, as the controller counts it
temperature_ddegC_min | int? | of the coldest module
temperature_ddegC_max | int? | of the hottest module
battery_W | int? | measured power of all converters; above 0 the battery gives
grid_W | int? | measured power of the connection; above 0 the site takes
load_W | int? | measured or computed power of the load
remaining_Wh | int? | stored above the reserve
reserve_in_s | int? | until the reserve is reached at the power of now
full_Wh | int | energy of all racks, by their health
rated_W | int | rated power of all converters, charge and discharge alike
rated_Wh | int | energy of all racks when they were new
request_W | int | what the control functions ask for
request | object | its parts
request.base_W | int | the slow part
request.base_reason | reason? | who asks for it
request.base_cause | cause? | the numbers behind it
request.fast_W | int | the part of load tracking
request.fast_reason | reason? | why
request.load_from | text | measured, computed or unknown
request.load_W | int? | the load that is tracked
setpoint_W | int | set-point of the converters, after all limits
binding | reason? | the limit that cuts the request
cause | cause? | the numbers behind it
limits | object | the range of the set-point now
limits.low_W | int | its charging end
limits.low_reason | reason? | why there
limits.low_cause | cause? | the numbers behind it
limits.high_W | int | its discharging end
limits.high_reason | reason? | why there
limits.high_cause | cause? | the numbers behind it
limits.leaves_W | int | what the limits leave of the request
limits.acted | reason? | the limit that cut the request here
available_low_W | int | the strongest charge that a request can reach now
available_high_W | int | the strongest discharge that a request can reach now
held_15min_low_W | int? | the charge that the free energy takes for 15 minutes, within that of now
held_15min_high_W | int? | the discharge that the energy above the reserve gives for 15 minutes
reserve_permille | int | charge below which remaining_Wh is 0
hints[] | object | each value that a source sets
hints[].source | text | its name
hints[].quantity | text | what it sets
hints[].value_W | int | the value in effect
hints[].valid_s | int | until it ends; 0 of a fallback
hints[].state | text | of the hint
hints[].fallback_W | int? | what counts after it
hints[].is_heartbeat_owed | bool | the fallback ends only after a heartbeat and a hint
schedule | object? | the schedule in force
schedule.source | text | who sent it
schedule.state | text | whether it acts, or what it waits for
schedule.count | int | its slots
schedule.starts | text | begin of slot 1, UTC
schedule.slot | int? | the slot of now, from 1
schedule.begins | text? | its begin, UTC
schedule.ends | text? | its end, UTC
schedule.grid_cap_W | int? | highest import in the slot
schedule.battery_low_W | int? | charging end of its band
schedule.battery_high_W | int? | discharging end of its band
schedule.reserve_permille | int? | its reserve
is_clock_trusted | bool | the controller knows UTC well enough to act by a schedule
notices[] | object | what a source knows ahead
notices[].source | text | its name
notices[].notice | text | a negative price, or a step of the load
notices[].value | int | of a step, W
notices[].start_s | int | until it begins
notices[].left_s | int | until it ends
sources[] | text | the sources of the site
binding_sources | object | whose hint sets each bound
binding_sources.control | text? | of the base of the set-point
binding_sources.charge_W_max | text? | of charging
binding_sources.discharge_W_max | text? | of discharging
binding_sources.import_W_max | text? | of the import
binding_sources.export_W_max | text? | of the export
racks[] | object | each rack, as its BMS reports it
racks[].rack | int | its number, from 1
racks[].unit | int | the unit that it feeds
racks[].bms_fault_bits | int? | as the BMS numbers them
racks[].cells_online | int? | cells with a reading
racks[].cell_voltage_mV_min | int? | of the lowest cell
racks[].cell_voltage_mV_max | int? | of the highest cell
racks[].rack_voltage_mV | int? | of all cells in series
racks[].rack_current_mA | int? | above 0 the rack gives
racks[].charge_current_mA_max | int? | that its BMS allows
racks[].discharge_current_mA_max | int? | that its BMS allows
racks[].soc_permille | int? | its charge
racks[].soh_permille | int? | its health, as reported now
racks[].soh_counted_permille | int | its health, as the controller counts it
racks[].full_Wh | int | its energy, by its health
racks[].temperature_ddegC_min | int? | of its coldest module
racks[].temperature_ddegC_max | int? | of its hottest module
racks[].hottest_module | int? | number of that module, from 1
racks[].spread_mV | int? | from its lowest to its highest cell
racks[].contactor | text? | as reported
racks[].contactor_step | text | as the controller has it
racks[].is_online | bool | it carries current
racks[].age_ms | int? | of its oldest reading
racks[].cells | int | in series
racks[].is_known | bool | all its readings are new
racks[].standing[] | text | rows on this rack
links{} | text | of each kind of device: how it is heard
meters{} | object? | each meter of the connection and the load
meters{}.device | text | its name
meters{}.state | text | how it is heard
meters{}.age_ms | int? | of its reading
site[] | object | each site device
site[].device | text? | its name
site[].role | text | what it is
site[].is_known | bool | its readings are new
site[].power_W | int!? | its power, if it reports one
site[].ups_Wh | int!? | energy that a UPS of the load can give it: the reserve is lower by so much
site[].closed[] | text! | contacts of the grid operator that are closed
site[].is_alone | bool! | this UPS is on battery while the site is on the grid
site[].asked{} | int? | what it is asked for, by signal
path_delay | object | from a change of the load to the power of the battery
path_delay.used_ms | int | what load tracking counts with
path_delay.source | text | measured, or by the configuration
path_delay.found_ms | int? | as measured
path_delay.nominal_ms | int | by the configuration
path_delay.believed_ms[] | int | the range that a measurement may have
loop | object? | how punctual the loop is, since its start
loop.ticks | int | all
loop.missed | int | that were left out
loop.late | int | that ended after their deadline
loop.runs | int | runs of late ticks
loop.lateness_us | object | of a tick
loop.lateness_us.p50 | int | us, of half of them at most
loop.lateness_us.p99 | int | us, of 99 % at most
loop.lateness_us.p99_9 | int | us, of 99.9 % at most
loop.lateness_us.max | int | us, of all
store | object | for how long it was not saved: latches of that time would be lost at a restart
store.unsaved_ms | int | until now; 0: it is saved
store.unsaved_before_ms | int | before, since the start of the controller
record | object? | the newest of the recorder
record.events | int | how many are kept
record.first_utc_us | int? | of the oldest event
record.newest | event? | the newest event
record.lifetime | object? | counters that no retention removes
record.lifetime.since_utc_us | int? | since when, since 1970
record.lifetime.given_Wh | int | by the battery
record.lifetime.taken_Wh | int | by the battery
record.lifetime.running_s | int | time in state running
record.lifetime.recorded_s | int | time with a record
record.lifetime.starts | int | of the controller
record.lifetime.trips | int | of the interlocks
record.lifetime.health[] | object | the trend of the health
record.lifetime.health[].month | text | such as 2026-11
record.lifetime.health[].soh_permille | int | of the most worn rack, at its end
tick_ms | int | of the loop
gas_calibration_d | int? | until the first gas detector is due
version | object | of the limits and the files
version.limits_crc | text | of the approved limits
version.type | text? | name of the cabinet's type
version.site | text? | name of the site
version.cabinet | text? | name of the cabinet
start | object | what a start needs
start.state | text | of the power
start.waits_for | reason? | what is missing
start.checklist | object? | its points before contactors close
start.checklist.done | int | that are there
start.checklist.total | int | of all
start.is_asked_to_run | bool | a person or a restart asks for power
start.rests | object? | why nobody asks
start.rests.why | text | the cause
start.rests.name | text? | of the person
start.sign_held[] | int | a unit whose sign test holds a start
start.resets_per_hour_max | int | remote resets
differs | bool | what was recorded differs from what this program computes: another version
propagation | object? | an estimate of how a runaway goes on; for people only
propagation.rack | int | where it is suspected
propagation.module | int | where it is suspected
propagation.degC | num | degC, the hottest reading
propagation.rise_K_per_min | num | how fast it rises
propagation.warming_s | num | since it began
propagation.burning_s | num? | since a cell burns
propagation.next_cell_s[] | num? | to the next cell, earliest and latest
propagation.next_module_s[] | num? | to the next module, earliest and latest
propagation.next_rack_s[] | num? | to the next rack, earliest and latest
propagation.cells_at_risk[] | int | lowest and highest count
map | object | heat and alarms on the plan of the site
map.plan | object? | of the site
map.plan.name | text | its name
map.plan.audit | text | its verdict
map.plan.open | text | what it leaves open
map.places[] | object | each unit of the plan
map.places[].place | text | its name
map.places[].is_here | bool | this controller reads it
map.places[].racks[] | int | racks in it
map.places[].units[] | int | units in it
map.places[].each_rack[] | object | the warmest module of each rack
map.places[].each_rack[].rack | int | its number
map.places[].each_rack[].module | int? | the module
map.places[].each_rack[].temperature_ddegC | int? | its temperature
map.places[].each_rack[].rise_ddegC_per_min | int? | how fast it rises
map.places[].unknown_racks | int | racks without a temperature
map.places[].rack | int? | the warmest rack
map.places[].module | int? | its warmest module
map.places[].temperature_ddegC | int? | its temperature
map.places[].rise_ddegC_per_min | int? | how fast it rises
map.places[].rows[] | text | stages of heat, fire or gas
map.places[].is_alarm | bool? | there is one
map.places[].x_mm | int? | on the plan
map.places[].y_mm | int? | on the plan
map.places[].area | text? | its fire area
map.places[].ways[] | object | to a neighbour
map.places[].ways[].to | text | its name
map.places[].ways[].kind | text | what it is
map.places[].ways[].distance_mm | int? | between them
map.places[].ways[].wall_min | int? | how long the wall between is rated
map.places[].ways[].tested_mm | int? | distance over which a fire test has shown no spread
map.places[].ways[].wall | text? | the wall
map.places[].ways[].paper | text? | of the test
map.places[].ways[].by | text | what the time comes from
map.places[].ways[].time_s | int? | until a fire passes
map.unload[] | object | a place to take power from, the first one first
map.unload[].place | text | its name
map.unload[].units[] | int | units in it
map.unload[].next_to | text | the place with an alarm
map.unload[].by | text | what the time comes from
map.unload[].time_s | int? | until a fire passes
map.unload[].distance_mm | int? | between them
proof_tests | object? | tests of the interlocks
proof_tests.rows[] | object | each test
proof_tests.rows[].row | text | its row of the matrix
proof_tests.rows[].what | text | what is tested
proof_tests.rows[].interval_d | int? | between two tests
proof_tests.rows[].last | object? | the last one, as the ledger has it
proof_tests.rows[].last.number | int | line of the ledger
proof_tests.rows[].last.kind | text | a test
proof_tests.rows[].last.row | text | its row
proof_tests.rows[].last.date | text | day of the test
proof_tests.rows[].last.recorded_utc | text | when it was written
proof_tests.rows[].last.clock | text | by which clock
proof_tests.rows[].last.tester | text | who tested
proof_tests.rows[].last.reaction_ms | int | as measured
proof_tests.rows[].last.result | text | passed or failed
proof_tests.rows[].last.remark | text | of the tester
proof_tests.rows[].last.previous | text | hash of the line before
proof_tests.rows[].last.hash | text | of this line
proof_tests.rows[].again | text? | why it is due again
proof_tests.rows[].due | text? | day of the next one
proof_tests.rows[].days_left | int? | until then
proof_tests.rows[].level | int | how urgent
proof_tests.rows[].state | text | in words
proof_tests.signs[] | object | sign test of each unit
proof_tests.signs[].unit | int | its number
proof_tests.signs[].state | text | passed, or why it is due
proof_tests.signs[].date | text? | day of the last one
proof_tests.summary | text | in one line
proof_tests.replacing[] | text | a device that is being replaced, since when and by whom
proof_tests.join | object? | how far it has joined its site
proof_tests.join.state | text | alone, joins, in or leaves
proof_tests.join.ready_permille | int | the part of its discharge that counts for others
proof_tests.join.kept_permille | int | the part that a leaving cabinet has not given back
proof_tests.join.place | text | code of its place and its meters
proof_tests.join.provisioned_utc | text? | when its configuration was made
proof_tests.join.steps{} | object | each done step
proof_tests.join.steps{}.utc | text | when it was noted
proof_tests.join.steps{}.by | text | by whom
proof_tests.join.steps{}.words | text | what this person said
proof_tests.join.hours | num? | from provisioned_utc to the last done step
proof_tests.wrong[] | text | what is wrong with the ledger
proof_tests.clock | text | whether the day is known
bands | object | how much the power swings, by frequency
bands.window_s | int | the last seconds
bands.load | band | of the load
bands.grid | band | of the connection
bands.battery | band | of the battery
plan | object? | the planner's plan
plan.made_at | text? | its time
plan.cap_W | num? | highest import that it keeps to
plan.waits[] | text | what it waits for
plan.age_s | int? | of its file
plan.is_old | bool | it counts no longer
record_trouble | text! | why the record cannot be read
utc_text | text! | the time, and where it is from
utc_us | int! | the time since 1970
utc_uncertainty_us | int! | how wrong it may be
recorder_silent_since | text!? | since when the recorder writes nothing
is_live | bool | a new tick came while this was made
"""
