"""Makes whole runs of a system: energy and bills without the safety kernel, outages with it."""

from hil.systems import minutes, resized, run, spec

Job = tuple[str, str]  # system and variant
KERNELS_MAX = 8  # controllers; with more, minutes with their kernels would take an hour


def chosen(name: str, variant: str, inputs: spec.Inputs) -> spec.Spec:
    """The system with --days, --seed and other sizes.

    If a variant has its own length, --days can only shorten it, unless the variant has an outage.
    """
    system = spec.load(name, variant)
    changes = {key: inputs[key] for key in ("days", "seed") if key in inputs}
    if "days" in changes and system.days != spec.load(name).days:
        changes["days"] = system.days if system.outage_s else min(system.days, changes["days"])
    days = changes.get("days", system.days)
    events = [event for event in system.events if event["day"] <= days]
    return resized.of(system._replace(**changes, events=events), inputs)


def whole(chosen: spec.Spec, inputs: spec.Inputs) -> run.Result:
    """The run in chain-only mode, then its outages and some other minutes with the kernel."""
    result = run.run(chosen, inputs)
    plain_s = 60 * inputs["kernel_minutes"] if chosen.cabinets <= KERNELS_MAX else 0
    wanted = minutes.of(result, plain_s, inputs["outages"])
    played = [minutes.played(chosen, inputs, event) for event in wanted]
    return result._replace(minutes=tuple(played))
