"""What a rig may do to the plant: operators' hands, test gases, and faults. Mixed into
cabinet.Cabinet.

Racks, modules, cells, units and detectors count from 0 here. A fault stays until it is repaired.
"""

from hil.plant import bus, contactors

GAS_HEADS, VAPOUR_HEADS, TOXIC_GASES = (
    ("gas_1", "gas_2"),
    ("offgas_1", "offgas_2"),
    ("hydrogen", "carbon_monoxide"),
)


class Injections:
    """Everything that changes the plant from outside but its coils, its commands and its load."""

    # Fire, gas and people

    def press_estop(self, channel=None):
        """Press the mushroom: both channels open; channel 0 or 1 alone is a wiring fault."""
        for i in (0, 1) if channel is None else (channel,):
            self.relays.estop_closed[i] = False
        self._publish()

    def release_estop(self):
        """Pull the mushroom out and reset the safety relay."""
        self.relays.estop_closed[:] = [True, True]
        self._publish()

    def bridge_chain(self, bridged):
        """Fault: the chain's contacts are bridged, so that only the program can act."""
        self.relays.bridged = bool(bridged)

    def set_fire(self, alarm):
        """True: the fire panel's alarm relay opens its contact."""
        self.relays.fire_closed = not alarm
        self._publish()

    def set_suppression(self, released):
        """True: the agent's flow switch opens its contact."""
        self.relays.suppression_closed = not released
        self._publish()

    def set_smoke(self, on, detector=None):
        """Test aerosol in both smoke detectors, or in 0 or 1, which alarm after their lag."""
        for i in (0, 1) if detector is None else (detector,):
            self.air.test_smoke[i] = bool(on)
        self.air.stir()

    def set_heat_detector(self, on):
        """A hot-air gun on the heat detector."""
        self.air.test_heat = bool(on)

    def set_fire_trouble(self, trouble):
        """Fault: the fire panel or the suppression reports trouble (supply, line open)."""
        self.fire_trouble = bool(trouble)
        self._publish_slow()

    def set_supervision_lost(self, lost):
        """Fault: the fire panel has no path to the supervising station."""
        self.supervised = not lost
        self._publish_slow()

    def set_gas(self, pct, detector=None):
        """Test gas of pct LFL (0..100) on both detectors, or on 0 or 1, read with their lag; 0
        takes it off.
        """
        self._test(self.air.gas, pct, detector, 100.0, "% LFL", "gas")

    def set_offgas(self, ppm, detector=None):
        """Test vapour of ppm (0..20000) on both off-gas detectors, or on 0 or 1; 0 takes it off."""
        self._test(self.air.vapour, ppm, detector, 20_000.0, "ppm", "vapour")

    def set_toxic(self, ppm, gas=None, ppm_per_s=0.0):
        """Test gas of ppm (0..20000) of both, or of TOXIC_GASES 0 or 1, at once or at ppm_per_s; 0
        takes it off.
        """
        self._test(self.air.toxic, ppm, gas, 20_000.0, "ppm", "toxic gas", ppm_per_s)

    def _test(self, heads, value, index, most, unit, what, per_s=0.0):
        if not 0.0 <= value <= most:
            raise ValueError(f"{what} {value} {unit}: allowed 0 to {most:g}")
        for head in heads if index is None else (heads[index],):
            head.cap(float(value), per_s)
        self.air.stir()

    def set_detector_fault(self, name, faulty):
        """Fault: the detector of that name (cabinet.DETECTORS) reports that its cell is broken."""
        self.detector_fault[self._detector(name)] = bool(faulty)

    def set_calibration(self, name, days):
        """The detector of that name is due for calibration in so many days; negative: overdue."""
        self.calibration_d[self._detector(name)] = days

    def _detector(self, name):
        if name not in self.detector_fault:
            raise ValueError(f"detector {name}: known are {', '.join(self.detector_fault)}")
        return name

    def run_fan(self, on):
        """Somebody runs the fan by hand, whatever its coil says; False: the coil alone decides
        again.
        """
        self.fan_by_hand = bool(on)

    def set_airflow_fail(self, failed):
        """Fault: the fan does not move air (belt, motor)."""
        self.air.airflow_failed = bool(failed)

    def set_damper_fail(self, failed):
        """Fault: the louvre sticks where it is a third open."""
        self.air.louvre_failed = bool(failed)

    def set_door(self, is_open):
        """Open or close the cabinet's door."""
        self.door_closed = not is_open
        self._publish()

    def force_contact(self, name, closed):
        """Fault: the contact `name` reads closed (True) or open (False) whatever it is; None
        repairs it.
        """
        if name not in self.contacts:
            raise ValueError(f"contact {name}: known are {', '.join(self.contacts)}")
        self._forced.pop(name, None)
        if closed is not None:
            self._forced[name] = bool(closed)
        self._publish()
        self._publish_slow()

    # Cooling, water, auxiliary supply

    def set_hvac_fail(self, failed):
        """Fault: the cooling has stopped and says so."""
        self.climate.hvac_failed = bool(failed)
        self._publish_slow()

    def heat_air(self, degC, rate_K_per_s=0.0):
        """Fault: the cabinet's air goes to degC, at once or at rate_K_per_s, and stays there; None
        lets it go.
        """
        self.climate.hold(degC, rate_K_per_s)

    def set_ingress(self, water_g_per_s):
        """Fault: so much water comes in and evaporates."""
        self.climate.ingress_g_per_s = float(water_g_per_s)

    def set_leak(self, leaking):
        """Fault: coolant drips on the floor; False: tight, mopped up, filled again."""
        self.climate.leak(leaking)
        self._publish_slow()

    def set_low_flow(self, low):
        """Fault: the coolant pump stands still."""
        self.climate.low_flow = bool(low)
        self._publish_slow()

    def set_mains(self, present):
        """The mains of everything auxiliary: present, or lost so that the UPS carries it. The
        cooling stops with it.
        """
        self.ups.mains = bool(present)

    def set_ups_reserve(self, reserve_min):
        """Fault: the battery of the UPS holds no more than this at the load of now."""
        self.ups.set_reserve(reserve_min)

    def set_ups_invalid(self, invalid):
        """Fault: the UPS says that its own data are invalid."""
        self.ups.invalid = bool(invalid)

    # Racks

    def heat(self, rack_index, module, degC, rate_K_per_s=0.0):
        """Fault: the module's sensor reads degC, at once or moving at rate_K_per_s; None lets it
        cool (30 s).
        """
        self.racks[rack_index].heat(module, degC, rate_K_per_s)

    def start_runaway(self, rack_index, module, cell=0, heater_K_per_min=5.0, degC=None):
        """Fault: a heater on one cell at 4 to 7 K/min (C31), None: no heater; the cell begins at
        degC when given.
        """
        rate = None if heater_K_per_min is None else heater_K_per_min / 60.0
        self.racks[rack_index].start_runaway(module, cell, rate, degC)

    def set_cell_offset(self, rack_index, offset_V, module=0, cell=0):
        """Fault: the cell, the rack's first one unless said, deviates by offset_V; 0.0 repairs
        it.
        """
        self.racks[rack_index].offset_cell(offset_V, module, cell)

    def drop_cell(self, rack_index, module, drop_V, over_s=1.0, cell=0):
        """Fault: the voltage of a cell falls by drop_V within over_s, seen at the looks of once a
        second.
        """
        self.racks[rack_index].offset_cell(-drop_V, module, cell, over_s)

    def set_sensors_invalid(self, rack_index, module, count):
        """Fault: so many sensors of one kind in the module are invalid; 0 repairs them."""
        self.racks[rack_index].invalidate_sensors(module, count)

    def set_sensor_zero(self, rack_index, module, dead):
        """Fault: the module's temperature reads exactly 0 degC."""
        self.racks[rack_index].kill_sensor(module, dead)

    def set_sensor_stuck(self, rack_index, module, degC):
        """Fault: the module's temperature repeats degC; None repairs it."""
        self.racks[rack_index].stick_sensor(module, degC)

    def misread(self, rack_index, module, offset_K):
        """Fault: the module's temperature is read wrong by offset_K once, until the next look of
        once a second.
        """
        self.racks[rack_index].misread(
            module, self.racks[rack_index].temperatures_degC[module] + offset_K
        )

    def set_insulation(self, rack_index, kohm, slope_kohm_per_s=0.0):
        """Fault: the rack's insulation is kohm from now on and changes by slope_kohm_per_s."""
        self.racks[rack_index].insulation_kohm = kohm
        self._insulation_slopes.pop(rack_index, None)
        if slope_kohm_per_s:
            self._insulation_slopes[rack_index] = slope_kohm_per_s

    def weld_contactor(self, rack_index, welded):
        """Fault: the rack's main contacts do not open any more."""
        self.racks[rack_index].contactors.welded = bool(welded)

    def break_precharge(self, rack_index, broken):
        """Fault: the rack's pre-charge resistor is open, so that the link never fills."""
        self.racks[rack_index].contactors.precharge_broken = bool(broken)

    def set_feedback(self, rack_index, state):
        """Fault: the rack's BMS reports this contactor state (contactors.OPEN ..) whatever it is;
        None repairs it.
        """
        if state is not None and state not in (
            contactors.OPEN,
            contactors.PRECHARGE,
            contactors.CLOSED,
            contactors.FAULT,
        ):
            raise ValueError(
                f"contactor state {state}: allowed {contactors.OPEN} to {contactors.FAULT}"
            )
        self.racks[rack_index].feedback = state

    def inject_bms_fault(self, rack_index, bits):
        """Fault: the rack's BMS reports `bits` and opens; 0 repairs it."""
        self.racks[rack_index].bms.injected_bits = bits

    # DC side

    def set_current_excess(self, unit, current_A, fuse_A2s=1e6):
        """Fault: a load beyond the PCS's control takes current_A from the unit's link until its
        fuse blows; 0: gone.
        """
        self.buses[unit].fault = (
            bus.FaultLoad(current_A=current_A, fuse_A2s=fuse_A2s) if current_A else None
        )

    def set_short_circuit(self, unit, ohm, fuse_A2s=1e6):
        """Fault: ohm across the unit's link until the fuse blows at its I2t; None: gone."""
        self.buses[unit].fault = None if ohm is None else bus.FaultLoad(ohm=ohm, fuse_A2s=fuse_A2s)

    def set_bus_mismatch(self, unit, offset_V):
        """Fault: the PCS measures the link's voltage wrong by offset_V."""
        self.pcs[unit].dc_voltage_offset_V = offset_V

    def reset_shunt_trip(self):
        """Close the DC breaker by hand."""
        self._open_breaker(False)
