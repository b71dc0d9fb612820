"""Announces steps of a training loop: python3 announce_steps.py URL TOKENFILE WATTS STEPS

URL: the HTTP door, as http://127.0.0.1:8643. A loop of your own needs the class alone:

    load = Announcer(url, token_file, {"start": 200_000, "checkpoint": -120_000, "end": -200_000})
    load.begins("start", 2.0)              # in 2 s the job takes 200 kW more
    for number in range(many):
        load.step()                        # tells how long a step takes
        if is_checkpoint(number + 1):
            load.begins("checkpoint", load.step_s)
            load.ends("checkpoint", load.step_s + write_s)

Announce a step 0.5 s ahead or more. The battery moves with a step that comes within 50 ms of its
time. A wrong notice moves the battery too. The credit that a source has earned by right notices
pays for this. Without credit, a notice must come true before the next one acts.
Nothing here waits for the door or stops the training: an error is one line on stderr.
"""

import http.client
import json
import queue
import ssl
import sys
import threading
import time
import urllib.parse

EVENTS = "start", "checkpoint", "evaluation", "end"
VALID_s, WAIT_s = 2, 5.0
STEPS_KEPT = 8  # the length of a step is the mean of so many steps


class Announcer:
    """Callbacks of a training loop."""

    def __init__(self, url: str, token_file: str, changes_W: dict) -> None:
        """changes_W: {event: W by which it moves the load}, above 0 if the load rises. ValueError:
        there is no such event.
        """
        wrong = [event for event in changes_W if event not in EVENTS]
        if wrong:
            raise ValueError(f"{wrong[0]}: allowed are {', '.join(EVENTS)}")
        self._url, self._token_file = urllib.parse.urlsplit(url), token_file
        self._changes_W = changes_W
        self._began_s: list[float] = []
        self._way_s = 0.0  # how long a message travels to the door
        self.answers: list[dict] = []
        self._todo: queue.Queue = queue.Queue()
        self._thread = threading.Thread(target=self._send_all, daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Note that a step of the training begins."""
        self._began_s = [*self._began_s[-STEPS_KEPT:], time.monotonic()]

    @property
    def step_s(self) -> float:
        """Length of a step; 0 before the second step."""
        spans = len(self._began_s) - 1
        return (self._began_s[-1] - self._began_s[0]) / spans if spans > 0 else 0.0

    def begins(self, event: str, in_s: float) -> None:
        """Announce that the event begins in in_s seconds."""
        self._announce(event, 1, in_s)

    def ends(self, event: str, in_s: float) -> None:
        """Announce that the event ends in in_s seconds: the load returns."""
        self._announce(event, -1, in_s)

    def _announce(self, event: str, sign: int, in_s: float) -> None:
        """Send the step. An event without W is left out, because 0 W would remove a step."""
        if event in self._changes_W:
            self._todo.put((sign * self._changes_W[event], time.monotonic() + in_s))
        else:
            known = ", ".join(self._changes_W)
            print(f"announce_steps: {event}: given are {known}", file=sys.stderr)

    def withdraw(self, in_s: float) -> None:
        """Announce that the step of that moment does not come."""
        self._todo.put((0, time.monotonic() + in_s))

    def close(self) -> None:
        """Send the waiting messages."""
        self._todo.put(None)
        self._thread.join(WAIT_s)

    def _send_all(self) -> None:
        for power_W, at_s in iter(self._todo.get, None):
            try:
                self.answers.append(self._send(power_W, at_s))
            except (OSError, ValueError, http.client.HTTPException) as error:
                print(f"announce_steps: {type(error).__name__}: {error}", file=sys.stderr)

    def _link(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=WAIT_s, context=context)
        return http.client.HTTPConnection(host, port, timeout=WAIT_s)

    def _send(self, power_W: int, at_s: float) -> dict:
        """Send and return the door's answer. The way of a message is half the last round trip."""
        with open(self._token_file, encoding="ascii") as file:
            token = file.readline().strip()
        link = self._link()
        link.connect()
        began_s = time.monotonic()
        ahead_s = max(0.0, at_s - began_s - self._way_s)
        hint = {"quantity": "step_W", "value_W": power_W, "valid_s": VALID_s}
        body = json.dumps({**hint, "start_in_s": round(ahead_s, 3)})
        link.request("POST", "/api/v1/hints", body, {"Authorization": f"Bearer {token}"})
        answer = json.loads(link.getresponse().read())
        self._way_s = (time.monotonic() - began_s) / 2
        link.close()
        if not answer.get("granted"):
            raise ValueError(
                f"{power_W} W is refused: {answer.get('label')} {answer.get('detail')}"
            )
        return answer


if __name__ == "__main__":
    try:
        url, token_file, watts, steps = sys.argv[1:]
        load = Announcer(url, token_file, {"start": int(watts), "checkpoint": -int(watts) // 2})
    except ValueError:
        sys.exit(f"WATTS and STEPS: whole numbers. {__doc__.splitlines()[0]}")
    load.begins("start", 0.5)
    for number in range(int(steps)):
        load.step()
        time.sleep(0.05)  # the work of a step
        if number == int(steps) - 2:
            load.begins("checkpoint", 2.0)
    load.close()
    for answer in load.answers:
        print(f"{answer['label']}: {answer['name']}")
    sys.exit(len(load.answers) != 2)
