"""Sends step notices and questions to the cabinet's HTTP door (controller/doors/http)."""

import http.client
import json
import urllib.parse
from collections.abc import Collection
from typing import Any

from controller.system import deadline, json_text, secret_file
from controller.watch.jobs import DAY_S, Away

WAIT_S, VALID_S, BYTES_MAX = 10.0, 60, 1 << 20
POWER_W_MAX = 1_000_000_000
Answer = dict[str, Any]


class Cabinet:
    """Opens a new connection for each request, because an open connection could die unnoticed."""

    def __init__(self, url: str, token: str, ca: str):
        """token, ca: paths. Both files are read for each request, so they may be replaced."""
        self._url, self._token, self._ca = urllib.parse.urlsplit(url), token, ca

    def announce(self, power_W: int, ahead_s: float) -> Answer:
        """Announce a step of the load, and return the answer.

        0 W withdraws the step that was announced for this moment.
        """
        hint = {"quantity": "step_W", "value_W": power_W, "valid_s": VALID_S}
        hint |= {"start_in_s": round(max(0.0, ahead_s), 3)}
        return self._post("hints", hint, "granted", (True, False))

    def ask(self, power_W: int, at_s: float, for_s: int) -> Answer:
        """Ask whether the load may rise: {"answer": "yes", "no" or "not known", ...}.

        at_s: start of the rise, from now. for_s: its length.
        """
        spans = {"at_s": min(max(0, int(at_s)), DAY_S), "for_s": min(max(1, for_s), DAY_S)}
        job = {"power_W": min(power_W, POWER_W_MAX), **spans}
        return self._post("ask", job, "answer", ("yes", "no", "not known"))

    def _post(self, name: str, message: Answer, key: str, known: Collection[object]) -> Answer:
        """Post a message, and return the answer. Raises Away.

        In the answer, `key` must have one of the values in `known`.
        """
        token = secret_file.secret(self._token, "token", Away)
        try:
            status, body = self._exchanged(f"/api/v1/{name}", message, token)
            answer = json_text.loads(body)
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Away(f"{self._url.netloc}: {reason}") from None
        except ValueError:
            raise Away(f"{self._url.netloc}: the answer is not that of a cabinet") from None
        if not isinstance(answer, dict) or key not in answer:
            why = answer.get("detail", "") if isinstance(answer, dict) else ""
            raise Away(f"{self._url.netloc}: refuses with status {status}: {str(why)[:200]}")
        value, lists = answer[key], [answer.get(name, []) for name in ("missing", "unknown")]
        if (
            type(value) not in (bool, str)
            or value not in known
            or not all(isinstance(part, list) for part in lists)
        ):
            raise Away(f"{self._url.netloc}: the answer is not that of a cabinet")
        return answer

    def _exchanged(self, path: str, message: Answer, token: str) -> tuple[int, bytes]:
        link = deadline.connection(self._url, WAIT_S, self._ca)
        with deadline.cut_after(link, WAIT_S):
            link.request("POST", path, json.dumps(message), {"Authorization": f"Bearer {token}"})
            answer = link.getresponse()
            return answer.status, answer.read(BYTES_MAX)
