"""Sends the messages that answer no command: state, main values, alarms, events and the report."""

import asyncio
import collections
import contextlib

from controller.doors.feed import Facts, Feed, NoState
from controller.doors.mqtt.payload import steady, text
from controller.doors.mqtt.report import Pace, fitted, report
from controller.mqtt.link import REFUSED, Link, Lost
from controller.system import clock, release

VALUES = (
    "state",
    "battery_W",
    "grid_W",
    "load_W",
    "setpoint_W",
    "soc_permille_min",
    "soc_permille_max",
    "remaining_Wh",
    "available_low_W",
    "available_high_W",
    "held_15min_low_W",
    "held_15min_high_W",
    "temperature_ddegC_max",
)
ALARMS_S = 1.0  # period of alarms, which do not wait for period_s
COUNTS_US = 10_000_000
BATCH = 20
AGAIN_US = 60_000_000  # pause after a broker has refused an event


class Outlet:
    """The messages that one door sends without a request.

    position: number of the last event that a broker has acknowledged. It is kept when the door
    connects again.
    """

    def __init__(self, feed: Feed, base: str, values: Facts, counts: collections.Counter[str]):
        self._feed, self._base, self._counts = feed, base, counts
        self._period_us, self._events_max = int(values["period_s"] * 1e6), values["events_max"]
        self._release = release.version()
        self.position: int | None = None
        self._again_us = 0

    async def run(self, link: Link) -> None:
        """Publish until the connection is lost. Raises Lost."""
        retained = Retained(link, self._base, self._counts)
        pace = Pace(self._period_us, clock.now_us())
        next_us = counts_us = 0
        events: asyncio.Task[None] | None = None
        try:
            await self._feed.fresh()
            while True:
                link.check()
                facts, now_us = self._feed.live, clock.now_us()
                retained.put("online", "online" if facts else "offline")
                if facts:
                    retained.put("alarms", text(facts["standing"]), text(steady(facts["standing"])))
                if now_us >= next_us:
                    next_us = now_us + self._period_us
                    retained.state(facts, self._feed.trouble)
                self._report(retained, pace, now_us)
                if now_us >= counts_us:
                    counts_us = now_us + COUNTS_US
                    retained.put("door", text(self._counts))
                if facts and (events is None or events.done()) and self._has_events(facts):
                    events = asyncio.create_task(self._send_events(link))
                await self._feed.changed(min(ALARMS_S, self._period_us / 1e6))
        finally:
            if events is not None:
                events.cancel()

    def _report(self, retained: "Retained", pace: Pace, now_us: int) -> None:
        facts = self._feed.live
        new_report = report(facts, self._release, self._feed.trouble, release.may_change())
        is_due = pace.is_due(new_report, (facts or {}).get("rated_W", 0), now_us)
        if is_due and retained.put("report", fitted(new_report), str(now_us)):
            pace.sent(new_report, now_us)

    def _has_events(self, facts: Facts) -> bool:
        """True if the record has events that no broker has acknowledged."""
        newest = (facts.get("record") or {}).get("newest") or {}
        number = newest.get("id")
        if number is None or clock.now_us() < self._again_us:
            return False
        if self.position is None:
            self.position = number
        elif number < self.position:  # this is a new record
            self.position = 0
        return bool(number > self.position)

    async def _send_events(self, link: Link) -> None:
        """Send new events in order. Events without an acknowledgement are sent again later."""
        with contextlib.suppress(Lost, NoState):
            position = self.position or 0
            page = await self._feed.page("events")
            new = [event for event in page["events"] if (event.get("id") or 0) > position]
            new = new[-self._events_max :]
            if new and new[0]["id"] > position + 1:
                gap = {"kind": "gap", "first": position + 1, "last": new[0]["id"] - 1}
                sentence = "These events were not sent; firebreak events has what is kept of them."
                new.insert(0, {"id": gap["last"], **gap, "text": sentence})
            for start in range(0, len(new), BATCH):
                batch = new[start : start + BATCH]
                answers = [link.publish(f"{self._base}/events", text(event)) for event in batch]
                for event, code in zip(batch, await asyncio.gather(*answers)):
                    if code >= REFUSED:
                        self._counts["refused_publishes"] += 1
                        self._again_us = clock.now_us() + AGAIN_US
                        return
                    self.position = event["id"]
                    self._counts["events"] += 1


class Retained:
    """The retained topics of one connection.

    A topic is sent when it has changed and its last message was acknowledged. So a slow broker gets
    fewer messages, and no queue grows.
    """

    def __init__(self, link: Link, base: str, counts: collections.Counter[str]):
        self._link, self._base, self._counts = link, base, counts
        self._sent: dict[str, str] = {}
        self._under_way: set[str] = set()

    def state(self, facts: Facts | None, trouble: str) -> None:
        """Send the complete state and each main value; `null` means unknown."""
        whole = facts or {"is_live": False, "trouble": trouble}
        self.put("state", text(whole), text(steady(whole)))
        for name in VALUES:
            value = facts and facts.get(name)
            self.put(f"value/{name}", value if isinstance(value, str) else text(value))
        count = facts and len(facts["standing"])
        self.put("value/alarms", text(count))

    def put(self, topic: str, payload: str, key: str | None = None) -> bool:
        """Publish if the key (by default the payload) differs from the last one sent. True if it
        was published.
        """
        key = payload if key is None else key
        if topic in self._under_way or self._sent.get(topic) == key:
            return False
        self._sent[topic] = key
        self._under_way.add(topic)
        answer = self._link.publish(f"{self._base}/{topic}", payload, retain=True)
        answer.add_done_callback(lambda done: self._done(topic, done))
        return True

    def _done(self, topic: str, answer: asyncio.Future[int]) -> None:
        self._under_way.discard(topic)
        with contextlib.suppress(asyncio.CancelledError):
            self._counts["refused_publishes"] += answer.result() >= REFUSED
