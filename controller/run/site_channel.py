"""Sends the values of one site device's actuators through their gates, and notes what was sent."""

from controller.core.base import reasons
from controller.core.image import ProcessImage
from controller.core.site_devices.actuator_chain import ActuatorChain
from controller.core.site_devices.records import TO_REST
from controller.core.site_devices.write_gate import WriteGate
from drivers import site_device
from drivers.buses import port as ports, rtu


class SiteChannel:
    """Writes each actuator of one device. `refusals` counts frames that the gate refused."""

    def __init__(
        self,
        driver: site_device.SiteDevice,
        port: ports.RtuPort,
        gates: dict[str, WriteGate],
        image: ProcessImage,
        sent_at: int,
    ):
        """gates: {actuator: WriteGate}; sent_at: place of the device's first word `sent_...`."""
        self.driver, self._port, self._gates = driver, port, gates
        self._image, self._sent_at = image, sent_at
        self.refusals, self.verdict = 0, reasons.NONE

    def write(self, actuators: list[ActuatorChain], now_us: int) -> None:
        """Write the actuators of this device, in the order of its role. An actuator that the
        profile does not write is left out, as for a PV inverter that is only measured. Nothing is
        sent before all reads of the device have been tried, because a device that reports "stopped"
        may still give power.
        """
        for read in self.driver.service(now_us):
            self._port.submit(read)
        words_at = self._sent_at + len(actuators)
        status_words = self.driver.refused_mask, self.driver.refused_value, self.driver.other_device
        for place, word in enumerate(status_words, words_at):
            self._image.inp[place] = word
        if not self.driver.is_read:
            return
        for place, actuator in enumerate(actuators):
            if actuator.actuator.name not in self._gates or not _may_write(actuator):
                continue
            is_rest_safe = actuator.actuator.silent == TO_REST
            request = self.driver.write(
                actuator.actuator.name, actuator.value, now_us, is_rest_safe
            )
            if request is not None:
                self._send(request, actuator, place)
            read_back = self.driver.read_back(actuator.actuator.name)
            if read_back is not None:
                self._port.submit(read_back)

    def _send(self, request: rtu.Request, chain: ActuatorChain, place: int) -> None:
        gate = self._gates[chain.actuator.name]
        gate.move(*self.driver.written_at(chain.actuator.name))
        self.verdict = gate.check(request.frame, 0, chain.value)
        if self.verdict != reasons.NONE:
            self.refusals += 1
            return
        self._image.inp[self._sent_at + place] = gate.value(request.frame) or 0
        self._port.submit(request)


def _may_write(chain: ActuatorChain) -> bool:
    """False until the feedback has been heard since the start, because a 0 would stop the engine
    that carries an island. A device whose reports are refused still gets its rest value, if that
    value is safe: otherwise an inverter with the wrong sign would feed in all that it can.
    """
    feedback, is_rest_safe = chain.actuator.feedback, chain.actuator.silent == TO_REST
    return chain.view.is_heard(feedback) or is_rest_safe and chain.view.is_refused(feedback)
