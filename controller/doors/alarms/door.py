"""Sends alarms out of the cabinet.

A letter (a mail, or a message to a webhook) describes each new alarm. It is sent again until the
receiver has accepted it.
"""

import asyncio
import collections
import concurrent.futures
import contextlib

from controller.doors.alarms import letter, post
from controller.doors.alarms.outbox import Outbox, Row
from controller.doors.process import House, Values
from controller.doors.quota import Recent
from controller.system import clock
from controller.system.paths import say
from controller.system.secret_file import secret
from controller.system.told import DoorError, Told

SECOND_US, HOUR_US = 1_000_000, 3_600_000_000
PAUSE_S, PAUSE_S_MAX = 5, 600
# A mail relay that does not know the sender accepts a letter only some minutes later (greylisting).
# At most LATER_MAX letters wait for that.
DEFER_US, DEFERRED_MAX = 300 * SECOND_US, 20
PERIOD_S = 1.0
UNKNOWN = "a cabinet without an answer yet"
# Time of the next try, letter, and addresses that have not got it although others have.
Deferred = tuple[int, letter.Letter, list[str]]


class Door:
    """Sends alarms to one receiver. Call `turn` after each reading of the state; it never waits."""

    def __init__(self, house: House, name: str, values: Values):
        ca_file = values["ca_file"] and house.settings.beside(values["ca_file"])
        self._house, self._values = house, {**values, "ca_file": ca_file}
        self._title = f"alarms.{name}"
        self._reporter = Told(f"door {self._title}")
        self._outbox = Outbox(house.own(f"{name}.json"), values["again_min"] * 60 * SECOND_US)
        path = values["secret_file"] and house.settings.beside(values["secret_file"])
        self._secret = secret(path, "secret", DoorError) if path else ""
        self._send = post.webhook if values["url"] else post.mail
        self._pool = concurrent.futures.ThreadPoolExecutor(1)
        self._sending: asyncio.Task[None] | None = None
        self._heard_us = self._due_us = clock.now_us()
        self._sent_us = Recent(HOUR_US)
        self._cabinet, self._pause_s = UNKNOWN, PAUSE_S
        self._deferred: collections.deque[Deferred] = collections.deque(maxlen=DEFERRED_MAX)

    async def run(self) -> None:
        """Serve one receiver until cancelled. Raises OSError."""
        self._house.feed.is_rough = True
        try:
            while True:
                await self._house.feed.changed(PERIOD_S)
                self.turn(clock.now_us())
        finally:
            await self.close()

    def turn(self, now_us: int) -> None:
        """Read the alarms from the state. Begin to send if an alarm waits and a try is due."""
        if (active := self._active_alarms(now_us)) is not None:
            self._outbox.update(active, now_us)
        if self._outbox.trouble:
            self._reporter.say(self._outbox.trouble)
        is_idle = self._sending is None or self._sending.done()
        if not (is_idle and self._sent_us.has_room(self._values["letters_per_h_max"], 1, now_us)):
            return
        if self._outbox.waiting and now_us >= self._due_us:
            self._sending = asyncio.create_task(self._send_waiting())
        elif self._deferred and now_us >= self._deferred[0][0]:
            self._sending = asyncio.create_task(self._send_deferred())

    def _active_alarms(self, now_us: int) -> dict[str, Row] | None:
        """{stage instance: row (letter.Row)} of the active alarms; None while they are unknown."""
        if (state := self._house.feed.live) is not None:
            self._heard_us, self._cabinet = now_us, state["cabinet"]
            seen_text = state.get("utc_text") or ""
            alarms = {
                row["instance"]: {
                    **row,
                    "seen_text": seen_text,
                    "began_text": letter.began(row, state),
                }
                for row in state["standing"]
            }
            for contradiction in state["contradicted"]:
                row = letter.reading(**contradiction)
                alarms[row["instance"]] = {**row, "seen_text": seen_text}
            if state["store"]["unsaved_ms"]:
                alarms[letter.STORE] = {**letter.unsaved(), "seen_text": seen_text}
            return alarms
        if now_us - self._heard_us < self._values["silent_s"] * SECOND_US:
            return None
        row = letter.silent(self._house.feed.trouble)
        return {**dict.fromkeys(self._outbox.reported, {}), row["instance"]: row}

    async def _send_waiting(self) -> None:
        """Send all waiting alarms as one letter. After each failure the pause is longer."""
        rows = dict(self._outbox.waiting)
        try:
            outgoing = letter.letter(self._cabinet, list(rows.values()))
            await self._hand_over(outgoing, self._values["to"])
        except Exception as error:  # noqa: BLE001  a library may raise anything; the letter stays
            self._due_us = clock.now_us() + self._pause_s * SECOND_US
            self._pause_s = min(2 * self._pause_s, PAUSE_S_MAX)
            line = str(error) if isinstance(error, DoorError) else type(error).__name__
            self._reporter.say(f"{line}; tried again")
            return
        self._outbox.accepted(list(rows), clock.now_us())
        self._pause_s = PAUSE_S

    async def _send_deferred(self) -> None:
        """Send a letter again to the addresses that the relay has deferred."""
        _, outgoing, to = self._deferred.popleft()
        try:
            await self._hand_over(outgoing, to)
        except Exception:  # noqa: BLE001  a library may raise anything; the first one was logged
            self._defer(outgoing, to)

    async def _hand_over(self, outgoing: letter.Letter, to: list[str] | None) -> None:
        """Give a letter to the relay, and report the addresses that it refuses.

        Raises what `post` raises, and DoorError if the relay refuses all addresses of the door.
        """
        refused = await asyncio.get_running_loop().run_in_executor(
            self._pool, self._send, {**self._values, "to": to}, self._secret, outgoing
        )
        if to is None or set(to) - refused.keys():
            self._sent_us.append(clock.now_us())
            say(f"door {self._title}: letter taken: {outgoing.subject}")
        elif to == self._values["to"]:
            raise DoorError(f"the relay refuses {', '.join(sorted(refused))}")
        for address, code in sorted(refused.items()):
            end = "gets no letter" if code >= post.PERMANENT else "is tried again"
            self._reporter.say(f"the relay refuses {address} (answer {code}), which {end}")
        if later := [address for address, code in refused.items() if code < post.PERMANENT]:
            self._defer(outgoing, later)

    def _defer(self, outgoing: letter.Letter, to: list[str]) -> None:
        self._deferred.append((clock.now_us() + DEFER_US, outgoing, to))

    async def close(self) -> None:
        """End without waiting. A letter that was not accepted yet stays in the outbox."""
        if self._sending is not None:
            self._sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._sending
        self._pool.shutdown(wait=False, cancel_futures=True)
