"""A hint and its reply in words, as `firebreak hint` prints them, and as plain fields."""

import textwrap
from typing import Any

from controller.core.base import hint_codes as h, reasons
from controller.hints import wire as w
from controller.rows import reason_words

_FORMS = {
    h.CHARGE_W_MAX: "charge <= {}",
    h.DISCHARGE_W_MAX: "discharge <= {}",
    h.POWER_W: "power {}",
    h.IMPORT_W_MAX: "import <= {}",
    h.EXPORT_W_MAX: "export <= {}",
    h.STEP_W: "step of the load {}",
}
_PRICE = ("price is not negative", "price is negative")
_WIDTH = 79
VERDICTS = {h.YES: "GRANTED", h.PARTLY: "PARTLY GRANTED", h.NO: "NOT GRANTED"}


def kW(power_W: int) -> str:
    """A power as screens show it: 400 kW, -3.6 kW."""
    whole, rest = divmod(abs(power_W) + 50, 1000)
    tenth = rest // 100
    sign = "-" if power_W < 0 and (whole or tenth) else ""
    return f"{sign}{whole}.{tenth} kW" if tenth else f"{sign}{whole} kW"


def quantity(number: int, value_W: int) -> str:
    """A quantity with its value: import <= 400 kW."""
    if number == h.PRICE_IS_NEGATIVE:
        return _PRICE[bool(value_W)]
    return _FORMS[number].format(kW(value_W)) if number in _FORMS else h.KINDS[h.HEARTBEAT]


def reason(code: int) -> str:
    """A reason with its name: R217 BMS discharge limit."""
    name = f" {reason_words.text(code)[0]}" if code in reason_words.TEXTS else ""
    return reasons.label(code) + name


def fields(reply: w.Reply) -> dict[str, Any]:
    """Every field of a Reply in SI units, with its code in words; None for a missing value."""
    texts = zip(("name", "sentence", "remedy"), h.TEXTS.get(reply.code, ("", "", "")))
    effect = h.effect(reply.code, reply.asked_W, reply.granted_W)
    plain = reply._asdict() | {
        "nonce": reply.nonce.hex(),
        "kind": h.KINDS.get(reply.kind, reply.kind),
        "quantity": {**h.QUANTITIES, **h.NOTICES}.get(reply.quantity),
        "granted_W": _or_none(reply.granted_W),
        "fallback_W": _or_none(reply.fallback_W),
    }
    return {
        **{key: plain[key] for key in ("source", "nonce", "sequence", "uptime_ms")},
        "granted": effect == h.YES,
        "effect": effect,
        "code": reply.code,
        "label": h.label(reply.code),
        **dict(texts),
        **plain,
    }


def state(answer: w.State) -> dict[str, Any]:
    """Every field of a State in SI units, with its reasons in words; None for a missing value."""
    return {
        **answer._asdict(),
        "nonce": answer.nonce.hex(),
        "remaining_Wh": None if answer.remaining_Wh < 0 else answer.remaining_Wh,
        "control_source": answer.control_source or None,
        "low_why": reason(answer.low_reason) if answer.low_reason else None,
        "high_why": reason(answer.high_reason) if answer.high_reason else None,
        "binding_why": reason(answer.binding_reason) if answer.binding_reason else None,
    }


def _or_none(value_W: int) -> int | None:
    return None if value_W == w.NOTHING_W else value_W


def lines(hint: w.Hint, reply: w.Reply, own: dict[str, Any] | None, exit_code: int) -> list[str]:
    """The reply to a Hint as lines; own: counters of its source (hint_statistics.read)."""
    is_taken = h.taken(reply.code)
    name, sentence, remedy = h.text(reply.code)
    asked = quantity(hint.quantity, hint.value_W)
    if hint.kind == h.EXACT:
        asked = f"exact {asked}"
    if hint.start_ms:
        asked += f" in {max(0, hint.start_ms - hint.sent_ms + 50) // 100 / 10:g} s"
    label = h.label(reply.code)
    verdict = VERDICTS[h.effect(reply.code, reply.asked_W, reply.granted_W)]
    verdict = f"{verdict} {label} {asked}" if is_taken else f"REFUSED {label} {name}"
    sent = f"valid for {hint.valid_ms / 1000:g} s"
    if reply.code not in (h.VALID_LONG, h.VALID_SHORT):
        sent = f"{asked}, {sent}"
    effect = "" if reply.code == h.GRANTED else f" {sentence}" if is_taken else " Nothing changed."
    screen = [
        *_wrapped("", f"{verdict}.{effect}", 2),
        *_spread(f"  you sent   {sent}", f"(sequence {hint.sequence})"),
    ]
    if allowed := _allowed(reply.code, own):
        screen += _spread(f"  allowed    {allowed[0]}", f"([source.{hint.source}] {allowed[1]})")
    screen += _wrapped("  do         ", _remedy(reply, hint, own, remedy), 13)
    screen += [f"  in force   {in_force(reply)}"] if hint.quantity else []
    screen += [
        f"  can do     now {kW(reply.available_low_W)[:-3]} .. {kW(reply.available_high_W)}",
        f"             low: {reason(reply.low_reason)}",
        f"             high: {reason(reply.high_reason)}",
        f"  doing      {doing(reply)}",
    ]
    counted = "{accepted} taken, {refused} refused since the controller's start" if own else ""
    return screen + _spread(f"  counted    {counted.format(**own or {})}", f"exit code {exit_code}")


def _wrapped(label: str, text: str, indent: int) -> list[str]:
    return textwrap.wrap(label + text, _WIDTH, subsequent_indent=" " * indent)


def _spread(left: str, right: str) -> list[str]:
    """One line with both texts at its ends, or two lines if they do not fit."""
    fits = len(left) + len(right) < _WIDTH
    return [left + right.rjust(_WIDTH - len(left))] if fits else [left, right.rjust(_WIDTH)]


def _allowed(code: int, own: dict[str, Any] | None) -> tuple[str, str] | None:
    """(allowed values, key of the configuration). None if no key decides the refusal."""
    if own is None:
        return None
    return {
        h.VALID_LONG: (f"1 .. {own['valid_s_max']} s", "valid_s_max"),
        h.VALID_SHORT: (f"1 .. {own['valid_s_max']} s", "valid_s_max"),
        h.RATE: (f"{own['hints_per_s_max']} hints in any second", "hints_per_s_max"),
        h.ROLE: (f"what role {own['role']} may say", "role"),
    }.get(code)


def _remedy(reply: w.Reply, hint: w.Hint, own: dict[str, Any] | None, remedy: str) -> str:
    if reply.code == h.VALID_LONG and own:
        most_s = own["valid_s_max"]
        return f"send valid for <= {most_s} s, renew every {max(1, most_s // 3)} s"
    if reply.code == h.GRANTED and hint.quantity == h.STEP_W:
        return "nothing more; announce it again after a restart of the controller"
    if reply.code == h.GRANTED:
        return f"renew every {max(1, hint.valid_ms // 3000)} s"
    return remedy


def in_force(reply: w.Reply) -> str:
    """The value in force of the reply's quantity, for how long, and its fallback."""
    if reply.granted_W == w.NOTHING_W:
        return "nothing of this kind" + _then(reply, ", fallback {}")
    now = quantity(reply.quantity, reply.granted_W)
    if reply.quantity == h.POWER_W and reply.granted_W != reply.asked_W and h.taken(reply.code):
        now += f"{' in place of' if reply.code == h.MOVED else ' of'} {kW(reply.asked_W)}"
    if not reply.valid_ms:
        return f"{now}, the fallback"
    return f"{now}, {-(-reply.valid_ms // 1000)} s left" + _then(reply, ", then fallback {}")


def _then(reply: w.Reply, form: str) -> str:
    return form.format(kW(reply.fallback_W)) if reply.fallback_W != w.NOTHING_W else ""


def doing(reply: w.Reply) -> str:
    """The power of this tick, and the reason that limits it."""
    power_W = reply.setpoint_W
    activity = f"{'discharging' if power_W > 0 else 'charging'} {kW(abs(power_W))}"
    activity = activity if power_W else "no power"
    return activity + (f", held by {reason(reply.binding_reason)}" if reply.binding_reason else "")
