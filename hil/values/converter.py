"""Value mode for a converter: passes set-points and readings without frames.

This applies to coarse ticks (50 ms and more), while the device is sound and the set-point is within
limits and rating. Start-up, start, stop and heartbeat always use frames.
"""

from collections.abc import Sequence
from typing import cast

from controller.core.base.sent import SENT
from controller.run.pcs_channel import PcsChannel
from drivers.pcs import SunSpecPcs as SunSpecDriver
from hil.devices.sunspec_pcs import MANUFACTURER_ALARM, SunSpecPcs
from hil.values.bus import Line, is_sound
from safety import signals as s

SECOND_US = 1_000_000


class DirectPcs:
    """Replaces the PcsChannel of a unit."""

    def __init__(self, channel: PcsChannel, device: SunSpecPcs, line: Line, code_at: int) -> None:
        """code_at: index, in the inputs, of the code that says what was sent last."""
        self.unit, self.fault = channel.unit, channel.fault
        self._channel, self._device, self._line, self._code_at = channel, device, line, code_at
        self._driver = cast(SunSpecDriver, channel.pcs)
        readings = self._driver.readings
        self._readings, self._inp, self._base = readings, readings._inp, readings._base
        self._measured_us = self._controlled_us = 0
        self._is_direct = False

    def advance(self, end_us: int) -> None:
        """Take the readings that are due by end_us."""
        if not self._is_direct:
            return
        if not self._is_sound():
            self._leave(end_us)
            return
        inp, base, fresh = self._inp, self._base, self._readings._fresh
        device, readings = self._device, self._readings
        pcs = device.pcs
        if end_us - self._measured_us >= readings._measure_us:
            self._measured_us = end_us
            alarms = pcs.alarm_bits | (MANUFACTURER_ALARM if device._controller_lost() else 0)
            unit_W = 10**device.scale
            inp[base + s.PCS_POWER_W] = round(pcs.ac_power_W / unit_W) * unit_W
            inp[base + s.PCS_DC_VOLTAGE_MV] = round(pcs.dc_voltage_V * 10) * 100
            inp[base + s.PCS_DC_CURRENT_MA] = round(pcs.dc_current_A * 10) * 100
            inp[base + s.PCS_STATE], inp[base + s.PCS_ALARM_BITS] = pcs.state, alarms
            inp[base + s.PCS_FORMING] = pcs.is_forming
            fresh[readings._measure_group], readings.measured_us = 1, end_us
        if end_us - self._controlled_us >= readings._control_us:
            self._controlled_us = end_us
            inp[base + s.PCS_SETPOINT_W] = device.image.get("704.WSet")
            heartbeat = device.image.get("715.DERHb")
            if heartbeat != readings._heartbeat:
                readings._heartbeat, readings._heartbeat_us = heartbeat, end_us
            inp[base + s.PCS_HEARTBEAT] = heartbeat & s.INT_MAX
            fresh[readings._control_group] = 1

    def _is_sound(self) -> bool:
        device = self._device
        return is_sound(device, self._line) and not (
            device.frozen
            or device.heartbeat_stopped
            or device.readback_offset_W
            or device.image.get("704.WSetEna") != 1
            or device.local
        )

    def _leave(self, now_us: int) -> None:
        """Go on with frames, as if the driver had heard the device until now."""
        self._is_direct = False
        readings = self._readings
        readings._ac_pdu = readings._dc_pdu = b""
        readings.alive_us = now_us
        self._device._show_ac()  # a frozen device keeps the values that the plant has now
        self._device._show_dc()

    def write(self, inp: Sequence[int], out: Sequence[int], setpoint_W: int, now_us: int) -> None:
        """See PcsChannel.write."""
        channel = self._channel
        driver = self._driver
        if not self._is_direct:
            channel.write(inp, out, setpoint_W, now_us)
            self._is_direct = driver.ready and driver.setpoint_exponent == 0 and self._is_sound()
            return
        running = out[channel.run_at]
        wanted_W = setpoint_W if running else 0
        channel.permit(bool(running), now_us)
        channel.run(inp, now_us)
        if now_us >= driver._heartbeat_due_us:
            driver._heartbeat_due_us = max(driver._heartbeat_due_us + SECOND_US, now_us)
            channel.submit(driver.heartbeat())
        changed = wanted_W != channel.sent_W
        if changed and channel._is_due(wanted_W, out, now_us) or driver.write_due(now_us):
            self._send(wanted_W, out, now_us)

    def _send(self, setpoint_W: int, out: Sequence[int], now_us: int) -> None:
        """Give the set-point to the device. If it is beyond a limit, send a frame instead."""
        channel, device = self._channel, self._device
        is_within = -out[channel.charge_at] <= setpoint_W <= out[channel.discharge_at]
        if not is_within or abs(setpoint_W) > device.pcs.rated_W:
            self._leave(now_us)
            channel._send(setpoint_W, out, now_us, 0)
            return
        channel.due_us, channel.sent_W = now_us + channel.period_us, setpoint_W
        self._driver._acknowledged_us = now_us
        device.image.put("704.WSet", setpoint_W)
        device._setpoint_written()
        self._inp[self._base + s.PCS_SENT_W], self._inp[self._code_at] = setpoint_W, SENT
