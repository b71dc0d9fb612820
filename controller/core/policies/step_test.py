"""The power that a person asks of one converter in TEST mode (`firebreak test sign`, `test step`).

Load tracking also runs in TEST mode, and would hide the step. So the step is an obligation. It has
the lowest rank, because it must break no limit of the connection, and must wait for the test of the
grid meter. The kernel bounds the power at 5 % of the rating. run/step_request.py ends a request in
time.
"""

from controller.core.base import reasons
from controller.core.base.answers import Obligation
from controller.core.policies.contract import BASE, Found, Function, Known

RANK = (1, "step_test")


class StepTest(Function):
    """Gives the step as an obligation. It is added after the available power was computed, so it
    does not narrow that power for other functions.
    """

    NAME, STAGE = "step_test", BASE
    READS = ("step_test",)
    TEXTS = reasons.texts("""
        SERVICE_TEST | service test | A person asks this power of one converter in TEST mode. |
          Nothing: it ends by itself.
    """)

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> tuple[Obligation, ...]:
        """The obligation for the power asked for; nothing without a request."""
        unit, power_W = known.step_test
        code = reasons.SERVICE_TEST
        return (Obligation(RANK, power_W, code, power_W, code),) if unit else ()
