"""The HTTP door: what it answers, to whom, and within which limits."""

import json

import pytest

from controller.core.base import hint_codes as h
from tests.controller.doors.http_site import CAP_TOKEN, HINT_TOKEN, served

pytestmark = pytest.mark.wire
CAP = {"quantity": "import_W_max", "value_W": 300_000, "valid_s": 60}


@pytest.fixture
def door(tmp_path):
    with served(tmp_path) as (site, door):
        door.site = site
        yield door


def test_every_fact_has_its_path(door):
    for name in (
        "state",
        "why",
        "alarms",
        "events",
        "trend",
        "devices",
        "links",
        "racks",
        "map",
        "plan",
        "schema",
        "openapi.json",
    ):
        status, headers, body = door.ask("GET", f"/api/v1/{name}")
        assert status == 200, (name, body)
        assert headers["Content-Type"] == "application/json"
        assert isinstance(json.loads(body), dict)


def test_a_hint_has_the_answer_of_the_loop(door):
    for token, status, code in ((HINT_TOKEN, 200, h.GRANTED), (CAP_TOKEN, 403, h.ROLE)):
        found, _, body = door.ask("POST", "/api/v1/hints", CAP, token)
        assert (found, json.loads(body)["code"]) == (status, code)


def test_metrics(door):
    print(door.ask("GET", "/metrics")[2].decode())
