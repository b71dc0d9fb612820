"""Hard-wired safety: E-stop chain, LFL relay, cell over-voltage, enable and supply relays.

The relay chain feeds the permit relays. The fault `bridged` bypasses all contacts of the chain, but
not the permit relay of channel B, which is in series with it. An I/O module drops all its coils
when they expire. A coil whose name ends in `_off` is inverse, so the fan then runs on.
"""

COILS = (
    "pcs_enable",
    "fan_off",
    "horn",
    "lamp",
    "contactor_supply",
    "red_lamp_off",
    "supervisory",
    "pre_alarm",
    "shunt_trip",
    "aux_load",
)
LFL_RELAY_PCT, LFL_RELAY_CLEAR_PCT = 25.0, 24.0
_EPSILON_S = 1e-9  # sums of 20 ms steps are not exact in binary


class SafetyRelays:
    """`pcs_enable`, `contactor_supply`: relay contacts, which the permit read-backs report."""

    def __init__(self, off_delay_s: float, wired_rows: tuple[int, ...]) -> None:
        """off_delay_s: delay of the contactor supply; wired_rows: rows with contacts in the
        chain.
        """
        self.coils = dict.fromkeys(COILS, False)
        self.estop_closed = [True, True]
        self.fire_closed = self.suppression_closed = self.lfl_closed = True
        self.cell_voltage_closed = True
        self.breaker_open = False  # the DC breaker of all racks; only a person closes it
        self.channel_b_closed = True  # without channel B, a wire bridges its contact
        self.bridged = self.pcs_enable = self.contactor_supply = False
        self._off_delay_s, self._wired_rows = off_delay_s, wired_rows
        self._left_s = 0.0

    def set_coil(self, name: str, level: bool) -> None:
        """Drive one coil. ValueError: unknown coil."""
        if name not in self.coils:
            raise ValueError(f"no coil {name}; allowed: {', '.join(COILS)}")
        self.coils[name] = bool(level)

    def see_gas(self, lfl_pct: float) -> None:
        """Switch the detectors' relay: it opens at 25 % LFL and closes below 24 %."""
        if lfl_pct >= LFL_RELAY_PCT:
            self.lfl_closed = False
        elif lfl_pct < LFL_RELAY_CLEAR_PCT:
            self.lfl_closed = True

    def chain_closed(self) -> bool:
        """True while the chain feeds the relays. The fault `bridged` bypasses all its contacts."""
        contacts = {
            1: all(self.estop_closed),
            2: self.fire_closed,
            3: self.suppression_closed,
            12: self.lfl_closed,
            30: self.cell_voltage_closed,
        }
        return self.bridged or all([contacts.get(row, True) for row in self._wired_rows])

    def step(self, dt_s: float) -> None:
        """Advance the relays by dt_s."""
        is_fed = self.channel_b_closed and self.chain_closed()
        self.pcs_enable = is_fed and self.coils["pcs_enable"]
        if is_fed and self.coils["contactor_supply"]:
            self._left_s = self._off_delay_s
            self.contactor_supply = True
        elif self.contactor_supply:
            self.contactor_supply = self._left_s > _EPSILON_S
            self._left_s -= dt_s
