"""A plant for device tests: plain attributes named as in hil/plant, and a record of what was
commanded.
"""


class Rack:
    """One rack, half full, contactors closed, discharging 100 A."""

    def __init__(self):
        self.cell_voltage_V_min, self.cell_voltage_V_max = 3.281, 3.312
        self.position_min, self.position_max = 3 * 32 + 7, 14 * 32 + 15
        self.voltage_V, self.current_A = 790.4, 100.3
        self.charge_limit_A, self.discharge_limit_A, self.charge_voltage_V_max = 140.0, 135.5, 852.0
        self.soc, self.soh, self.cycles, self.insulation_kohm = 0.5123, 0.9876, 321, 2500.0
        self.temperatures_degC = [20.0 + 0.5 * module for module in range(15)]
        self.contactor_state, self.cells_online, self.fault_bits, self.sensors_invalid = (
            2,
            240,
            0,
            1,
        )
        self.commands = []

    def command_close(self, close):
        """Note the command."""
        self.commands.append(close)


class Pcs:
    """A 250 kW inverter at 100 kW."""

    def __init__(self):
        self.rated_W = 250_000
        self.ac_power_W, self.dc_voltage_V, self.dc_current_A = 100_000.0, 790.0, 130.0
        self.state, self.alarm_bits, self.setpoint_W = 3, 0, 0.0
        self.runs = []

    def command_setpoint(self, setpoint_W):
        """Take the set-point."""
        self.setpoint_W = setpoint_W

    def command_run(self, run):
        """Note the command."""
        self.runs.append(run)


class Cabinet:
    """Three racks, one PCS, 300 kW of load, everything closed."""

    def __init__(self):
        self.racks = [Rack() for _ in range(3)]
        self.pcs = [Pcs()]
        self.grid_power_W, self.load_power_W, self.load_channels = 200_000.0, 300_000.0, None
        self.grid_voltage_V, self.grid_frequency_Hz = 230.0, 50.0
        names = (
            "estop_1",
            "estop_2",
            "fire_alarm",
            "suppression",
            "gas_relay",
            "airflow",
            "key_run",
            "permit_1",
            "permit_2",
            "door",
            "bms_fault",
        )
        self.contacts = dict.fromkeys(names, True)
        self.coils = {}
        self.gas_lfl_pct, self.vent_lfl_share = [0.4, 12.34], 0.06
        self.offgas_ppm, self.toxic_ppm = [0.4, 21.6], [48.2, 61.7]
        self.air_degC, self.humidity_permille = 25.04, 441.6
        self.mains_present, self.ups_reserve_min, self.ups_invalid = True, 194.9, False
        names = ("gas_1", "gas_2", "offgas_1", "offgas_2", "toxic")
        self.detector_fault = dict.fromkeys(names, False)
        self.calibration_d = {**dict.fromkeys(names, 180), "gas_2": -3}

    def set_coil(self, name, level):
        """Note the level."""
        self.coils[name] = level
