"""Serves the commands of one MQTT topic. Each message becomes a hint or a question.

A source that sends too much fills only its own queue, and no hint waits behind a question. A
repeated id gets the first answer again, so that no hint is sent twice.
"""

import collections
import contextlib
import hashlib
import re

from controller.core.base import hint_codes as h
from controller.doors import asking
from controller.doors.mqtt.payload import text
from controller.doors.mqtt.waiting import Command, Reply, Waiting
from controller.doors.quota import Recent
from controller.doors.sending import Answer, Sender
from controller.forms.refusal import ConfigError, shown
from controller.hints.no_answer import problem
from controller.system import clock, json_text

VERBS = ("hint", "ask")
BYTES_MAX = 4096
KEPT_US = 300_000_000  # time for which the answer to an id is kept
MORE_PER_MIN = 60  # commands above hints_per_min_max that get an answer; more are only counted
ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
ID_WORDS = "id: is missing or wrong; allowed 1 to 64 letters, digits, _ . and - in quotes"


class CommandServer:
    """Serves the messages of one source and one of VERBS. Call `run` once, `take` for each."""

    def __init__(
        self,
        run_directory: str,
        sender: Sender,
        verb: str,
        base: str,
        counts: collections.Counter[str],
    ):
        """base: the first part of all topics. counts: {name of a result: how often it occurred}."""
        self._run_directory, self._sender, self._counts = run_directory, sender, counts
        self._verb = verb
        self._replies = f"{base}/reply/{sender.source.name}/"
        self._waiting = Waiting(counts, lambda data: "too_long" if len(data) > BYTES_MAX else "")
        self.take = self._waiting.take
        self._answers: dict[str, tuple[int, bytes, Answer]] = {}  # {id: (time, digest, answer)}
        self._asks_us, self._all_us = Recent(), Recent()

    async def run(self, reply: Reply) -> None:
        """Serve commands one after the other."""
        title = f"a command of {self._sender.source.name} is not served"
        await self._waiting.serve(title, lambda command: self._serve(command, reply))

    async def _serve(self, command: Command, reply: Reply) -> None:
        if not self._all_us.take(self._sender.source.hints_per_min_max + MORE_PER_MIN):
            self._counts["over_quota"] += 1
            return
        message, name = command.message, ""
        fields: Answer = {}
        with contextlib.suppress(ValueError):
            name, fields = _id_and_fields(json_text.loads(message.payload))
        digest = hashlib.sha256(message.payload).digest()
        answer = self._earlier_answer(name, digest) if name else self._refused(ID_WORDS)
        if answer is None:
            answer = await self._answer(command, fields)
            if answer.get("code") not in (h.RATE, h.TOO_LATE):
                self._answers[name] = clock.now_us(), digest, answer
        self._counts["answered"] += 1
        topic = self._response_topic(message.response) or self._replies + (name or "unnamed")
        source = self._sender.source.name
        reply(source, topic, text({"id": name or None, **answer}), message.correlation)

    async def _answer(self, command: Command, fields: Answer) -> Answer:
        if command.is_late():
            self._counts["late"] += 1
            return problem(h.TOO_LATE, "The command came too late, so it was not taken.")
        try:
            if self._verb == "ask":
                return await self._asked(fields)
            answer = await self._sender.hint(fields)
        except ConfigError as error:
            return self._refused(str(error))
        self._counts["taken" if h.taken(answer["code"]) else "refused"] += 1
        return answer

    async def _asked(self, fields: Answer) -> Answer:
        if not self._asks_us.take(self._sender.source.hints_per_min_max):
            return problem(h.RATE)
        answer = await asking.asked(self._run_directory, fields)
        self._counts["asked"] += 1
        return answer

    def _refused(self, line: str) -> Answer:
        """The answer to a message that is no command."""
        self._counts["not_understood"] += 1
        return problem(h.NOT_UNDERSTOOD, line)

    def _earlier_answer(self, name: str, digest: bytes) -> Answer | None:
        """The first answer to this id; None if the id is new."""
        now_us = clock.now_us()
        while self._answers and now_us - next(iter(self._answers.values()))[0] >= KEPT_US:
            del self._answers[next(iter(self._answers))]
        if name not in self._answers:
            return None
        self._counts["repeated"] += 1
        _, known, answer = self._answers[name]
        if known == digest:
            return answer
        line = f"id: {shown(name)} was that of another command in the last 5 minutes"
        return problem(h.NOT_UNDERSTOOD, line)

    def _response_topic(self, response: str) -> str:
        """The response topic of MQTT 5 if it is below the reply topic of the source, else ''."""
        is_own = response.startswith(self._replies) and len(response) <= 256
        return response if is_own and not set(response) & set("+#\0") else ""


def _id_and_fields(value: object) -> tuple[str, Answer]:
    """The id of a command ("" if it is wrong), and its other fields."""
    if not isinstance(value, dict):
        return "", {}
    name = value.pop("id", None)
    return (name if isinstance(name, str) and ID.fullmatch(name) else ""), value
