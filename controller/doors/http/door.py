"""Runs one HTTP door: a listening address with its pages and its rules."""

from controller.doors.http.connection import HEAD_MAX, Client
from controller.doors.http.counts import Counts
from controller.doors.http.guard import Guard
from controller.doors.http.pages import Pages
from controller.doors.http.stream import Stream
from controller.doors.listener import Connection, Listener, tls
from controller.doors.process import House, Values


class Door:
    """One listening address."""

    def __init__(self, house: House, name: str, values: Values):
        context = tls(house, values, "certificate", "key", "client_ca")
        self.counts, stream = Counts(values["connections_max"] // 2), Stream(house.feed)
        self._pages, self._rules = Pages(house, stream, self.counts), Guard(values)
        self.listener = Listener(values, context, HEAD_MAX, self._talk, self._count, self._victim)
        self.counts.gauges = lambda: (len(self.listener.connections), stream.clients)

    async def run(self) -> None:
        """Accept connections until cancelled."""
        await self.listener.run()

    async def _talk(self, connection: Connection) -> None:
        await Client(connection, self._rules, self._pages.answer, self.counts).serve()

    def _count(self, cause: str, connection: Connection) -> None:
        self.counts.refused[cause] += 1

    def _victim(self, newcomer: Connection) -> Connection | None:
        """The oldest connection that waits for a request, or None."""
        return next(
            (connection for connection in self.listener.connections if connection.is_waiting), None
        )
