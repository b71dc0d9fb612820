"""The gate of set-points in a form of their own: each form decoded; the worst mixture."""

import pathlib
import struct
import tomllib
from types import SimpleNamespace

import pytest
from converter_forms import FRAMES, reach_W, toml, values_of
from hypothesis import given, settings, strategies as st

from controller.config import converters, profiles
from controller.core.base import reasons
from drivers.buses import rtu
from drivers.setpoint_form import Frame

RATED_W, UNIT = 10_000, 7


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("profiles")
    for form in FRAMES:
        (found / f"{form}.toml").write_text(toml(form))
    return found


def loaded(folder: pathlib.Path, form):
    path = folder / f"{form}.toml"
    profile = profiles.load(str(path))
    device = SimpleNamespace(address=UNIT, profile=profile)
    frames = [Frame(each, {"rated_W": RATED_W}) for each in profile.setpoint]
    return tomllib.loads(path.read_text()), converters.setpoint_gate(device, RATED_W), frames


def frame_of(frame, words):
    return frame.request(UNIT, tuple(words)).frame


def places(frame, words):
    return {frame.address + at: word for at, word in enumerate(words)}


@pytest.mark.parametrize("form", FRAMES)
def test_each_form_reaches_its_set_point_and_no_more(folder, form):
    """Rounded towards 0; the gate passes the frames at the limit, and refuses them 1 % below it."""
    data, _, frames = loaded(folder, form)
    for power_W in (-10_000, -9_999, -1234, -1, 0, 1, 777, 9_999, 10_000):
        words = {}
        for frame in frames:
            words |= places(frame, frame.words(power_W))
        charge, discharge = reach_W(data, words, RATED_W)
        assert 0 <= charge <= max(0, -power_W) and 0 <= discharge <= max(0, power_W)
        assert charge + discharge > abs(power_W) - 0.01 * RATED_W - 100


@pytest.mark.parametrize("form", FRAMES)
@pytest.mark.parametrize("power_W, most", [(-5000, (5000, 0)), (5000, (0, 5000))])
def test_a_whole_set_point_passes_at_its_limit_and_not_below(folder, form, power_W, most):
    for limits, passes in ((most, True), (tuple(max(0, each - 101) for each in most), False)):
        _, gate, frames = loaded(folder, form)
        for asked_W in (0, power_W):
            codes = []
            for frame in frames:
                request = frame_of(frame, frame.words(asked_W))
                codes.append(gate.check(request, *limits))
                if codes[-1] == reasons.NONE:
                    gate.sent(request)
                    gate.acknowledged(request)
        wanted = reasons.GATE_CHARGE if power_W < 0 else reasons.GATE_DISCHARGE
        assert (set(codes) == {reasons.NONE}) == passes
        assert passes or wanted in codes


@pytest.mark.parametrize("form", FRAMES)
def test_a_damaged_frame_has_its_reason(folder, form):
    _, gate, frames = loaded(folder, form)
    for frame in frames:
        words = frame.words(0)
        good = frame_of(frame, words)
        other = frame.request(UNIT + 1, words).frame
        moved = rtu.write_request(frame.function, "", UNIT, frame.address + 200, words).frame
        wrong = rtu.write_request(22 - frame.function, "", UNIT, frame.address, words[:1]).frame
        assert gate.check(good, 0, 0) == reasons.NONE
        assert gate.check(good[:-1] + bytes((good[-1] ^ 1,)), 0, 0) == reasons.GATE_CRC
        assert gate.check(other, 0, 0) == reasons.GATE_UNIT_ID
        assert gate.check(moved, 0, 0) == reasons.GATE_ADDRESS
        assert gate.check(wrong, 0, 0) in (reasons.GATE_LENGTH, reasons.GATE_FUNCTION)
        assert gate.check(good[:-2], 0, 0) in (reasons.GATE_LENGTH, reasons.GATE_ADDRESS)
        gate.sent(good)
        gate.acknowledged(good)


def test_a_mode_before_its_old_magnitude_is_zero_is_refused(folder):
    _, gate, (mode, magnitude) = loaded(folder, "mode_first")
    discharge = frame_of(mode, (0xBB,))
    assert gate.check(discharge, 5000, 5000) == reasons.GATE_DISCHARGE  # magnitude not known
    for words in ((0xCC,), None, (0xBB,)):
        frame = frame_of(magnitude, (400,)) if words is None else frame_of(mode, words)
        assert gate.check(frame, 5000, 5000) == reasons.NONE
        gate.sent(frame)
        gate.acknowledged(frame)
    assert gate.check(frame_of(mode, (0xAA,)), 3999, 5000) == reasons.GATE_CHARGE
    assert gate.check(frame_of(mode, (0xAA,)), 4000, 5000) == reasons.NONE


def test_a_frame_without_an_answer_may_have_been_taken(folder):
    """The old magnitude counts until the new one is acknowledged."""
    _, gate, (mode, magnitude) = loaded(folder, "mode_first")
    for frame in (frame_of(mode, (0xCC,)), frame_of(magnitude, (400,))):
        gate.sent(frame)
        gate.acknowledged(frame)
    smaller = frame_of(magnitude, (100,))
    gate.sent(smaller)
    assert gate.check(frame_of(mode, (0xBB,)), 1000, 1000) == reasons.GATE_DISCHARGE
    gate.acknowledged(smaller)
    assert gate.check(frame_of(mode, (0xBB,)), 1000, 1000) == reasons.NONE
    gate.forget()
    assert gate.check(frame_of(mode, (0xBB,)), 1000, 1000) != reasons.NONE


def test_no_number_of_no_meaning_passes(folder):
    _, gate, (frame,) = loaded(folder, "float")
    for number in (float("nan"), float("inf"), float("-inf")):
        words = struct.unpack(">2H", struct.pack(">f", number))
        assert gate.check(frame_of(frame, words), 10_000, 10_000) == reasons.GATE_RANGE
    _, gate, (mode, _) = loaded(folder, "mode_first")
    assert gate.check(frame_of(mode, (0xDD,)), 10_000, 10_000) == reasons.GATE_RANGE
    _, gate, (block,) = loaded(folder, "block")
    assert gate.check(frame_of(block, (2, 0, 0, 20)), 10_000, 10_000) == reasons.GATE_RANGE


def test_what_was_sent_is_decoded_from_the_bytes(folder):
    _, gate, (mode, magnitude) = loaded(folder, "mode_first")
    sent = [gate.sent(frame_of(mode, (0xBB,))), gate.sent(frame_of(magnitude, (250,)))]
    assert sent == [None, 2500]
    assert [gate.sent(frame_of(mode, (raw,))) for raw in (0xAA, 0xCC)] == [-2500, 0]
    _, gate, frames = loaded(folder, "two_and_mode")
    for frame in frames:
        sent_W = gate.sent(frame_of(frame, frame.words(-3210)))
    assert sent_W == -3210


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_frame_that_passes_lifts_any_converter_above_a_limit(folder, data):
    """The model begins with any registers. It takes a frame or not, and acknowledges it or not."""
    form = data.draw(st.sampled_from(sorted(FRAMES)))
    toml_data, gate, frames = loaded(folder, form)
    word = st.one_of(
        st.integers(0, 0xFFFF), st.sampled_from((0, 1, 2, 8, 11, 12, 0xAA, 0xBB, 0xCC))
    )
    held = {}
    for frame in frames:
        held |= places(frame, [data.draw(word) for _ in range(frame.count)])
    for _ in range(data.draw(st.integers(1, 12))):
        limits = [data.draw(st.sampled_from((0, 100, 2500, 5000, 10_000))) for _ in range(2)]
        frame = data.draw(st.sampled_from(frames))
        powers = st.sampled_from((0, -limits[0], limits[1], -2500, 2500, 9999))
        any_words = st.lists(word, min_size=frame.count, max_size=frame.count)
        words = data.draw(st.one_of(powers.map(frame.words), any_words))
        request = frame_of(frame, words)
        if gate.check(request, *limits) != reasons.NONE:
            continue
        gate.sent(request)
        is_taken = data.draw(st.booleans())
        if not is_taken:
            continue
        before = reach_W(toml_data, held, RATED_W)
        held |= places(frame, words)
        for most, had, has in zip(limits, before, reach_W(toml_data, held, RATED_W)):
            assert has <= max(most, had), (form, values_of(toml_data, held, RATED_W))
        if data.draw(st.booleans()):
            gate.acknowledged(request)
