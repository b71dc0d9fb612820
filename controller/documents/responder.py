"""Makes the document `firebreak document responder`, a page for the fire service that hangs at the
gate of the site.

The page says what the lamps mean, which parts stay live, what the cabinet does by itself, and whom
to call. It gives no distance and no rule for extinguishing, because the fire service has its own
rules. Exit code 1: an entry of [responder] is missing in the site file.
"""

from controller.config import bus_times, thresholds, time_chain
from controller.config.cabinet_config import Config
from controller.config.places import PLACES
from controller.core.site_devices.roles import ROLES
from controller.documents import effect_words
from controller.documents.document import Banner, Blocks, Facts, Heading, Table, Text, section
from controller.rows import matrix_words
from controller.rows.records import BY_ID
from controller.system.worded import counted

NOT_GIVEN = "NOT GIVEN"
_ESTOP, _CELL = "1a", "29"
# The causes of the red lamp, in words for a reader who does not know the cause-and-effect matrix.
RED = (
    "Keep away: fire, smoke, gas, emergency stop, hot cells, a battery or an I/O module that no "
    "longer reports, or an unknown danger."
)
LAMPS = (
    ("RED", RED),
    ("AMBER", "A warning, or the contactors are open. Cells stay live."),
    ("both dark", "In operation: under voltage and current. Dark does not end the danger."),
    ("both flash", "Somebody tests the lamps."),
    ("horn", "With red or amber: the cabinet has just stopped, or no air flows."),
)
EXPLOSION = {
    "68": "panels or doors of the cabinet may blow open: stay out of their way",
    "69": "the fan should keep the gas below its flammable limit, but may fail to do so",
    "both": (
        "the fan should keep the gas below its flammable limit, but panels or doors may blow open: "
        "stay out of their way"
    ),
}


def facts(config: Config) -> Facts:
    """The page of a site as plain data."""
    chemistry = config.hma["chemistry"]
    full_mV, _ = thresholds.levels(BY_ID[_CELL], chemistry)
    racks, schedule = config.rack_tables, bus_times.schedule(config)
    lacking = config.topology.not_fitted
    return {
        "cabinet": config.names[-1][1],
        "site": dict(config.names).get("site", ""),
        "chemistry": chemistry,
        "racks": len(racks),
        "energy_Wh": config.control["energy_Wh"],
        "dc_V_max": max(rack["cells"] for rack in racks) * full_mV // 1000,
        "open_latest_ms": time_chain.opened_ms(config, schedule, BY_ID[_ESTOP]),
        "explosion_control": config.hma["explosion_control"],
        "has_fan": "airflow" not in lacking,
        "has_suppression": "suppression" not in lacking,
        "restart_alone": config.hma["restart_alone"],
        "in_gas": effect_words.breaker_words(effect_words.breaker(config)),
        "agent_hold_off_ms": config.cabinet["agent_hold_off_ms"],
        "fuse_wait_ms": config.cabinet["fuse_wait_ms"],
        "sources": _sources(config),
        "places": config.responder,
        "not_given": [f"responder.{key}" for key in PLACES if not config.responder[key]],
    }


def _sources(config: Config) -> list[Facts]:
    """{device, what, rated_W, words} of each device that feeds energy."""
    feeds = {name: (role.text, role.feed.words) for name, role in ROLES.items() if role.feed}
    load_ups = ROLES["load_ups"].text
    feeds["load_ups"] = load_ups, "its battery feeds the load, also without the grid"
    feeds["ups"] = "UPS", "its battery feeds fan, detectors and controller"
    return [
        {
            "device": device.name,
            "what": feeds[device.role][0],
            "rated_W": device.settings.get("rated_W"),
            "words": feeds[device.role][1],
        }
        for device in config.devices
        if device.role in feeds
    ]


def _source_text(source: Facts) -> str:
    rated = f", {source['rated_W'] / 1000:g} kW" if source["rated_W"] else ""
    return f"{source['what']} {source['device']}{rated}: {source['words']}."


def blocks(page: Facts) -> Blocks:
    """The page as a document."""
    places = [(label, page["places"][key] or NOT_GIVEN) for key, label in PLACES.items()]
    return [
        Heading(1, f"For the fire service: {page['cabinet']}, {page['site']}"),
        Banner(
            "KEEP AWAY. DO NOT OPEN THE CABINET. Gas inside can explode when air comes in, even "
            "hours later and while the fan runs. Batteries stay live. They can burn again after "
            "days."
        ),
        *_not_given(page),
        Heading(2, "What is inside"),
        Text(
            f"{counted(page['racks'], 'rack')} of lithium cells "
            f"({page['chemistry']}), up to {page['energy_Wh'] / 1000:g} kWh, up to "
            f"{page['dc_V_max']} V DC in each rack."
        ),
        *section("What the lamps say", Table(("lamp", "means"), LAMPS)),
        *section("What is off, and what is not", Table(("after a stop", "state"), _energy(page))),
        *section("Gas, fan and agent", Table(("what", "does"), _air(page))),
        *section("Call, and where things are", Table(("what", "this site"), places)),
        Text(
            "Afterwards: the cabinet stays off until somebody resets it with the key on site. Keep "
            "watching it and keep the operator reachable: at Gateway (California, 2024) batteries "
            "burned again for two weeks."
        ),
    ]


def _not_given(page: Facts) -> Blocks:
    if not page["not_given"]:
        return []
    names = ", ".join(page["not_given"])
    return [Banner(f"NOT READY TO HANG UP. The site file does not give: {names}.")]


def _energy(page: Facts) -> list[tuple[str, str]]:
    opened_s = matrix_words.plain(round(page["open_latest_ms"] / 1000, 1))
    fuse_wait = matrix_words.after(page["fuse_wait_ms"])
    return [
        (
            "Emergency stop",
            f"Stops the converter and opens the DC contactors within {opened_s} s. In gas: "
            f"{page['in_gas']}. In a short circuit: up to {fuse_wait}, for the fuse. The red lamp "
            "comes on when the cabinet has accepted the stop.",
        ),
        ("OFF", "The DC cables from the racks to the converter, once the contactors are open."),
        (
            "NOT OFF",
            f"Every cell, module and cable inside the racks: always up to {page['dc_V_max']} V "
            "DC. No switch turns it off. A contactor may be welded closed.",
        ),
        ("NOT OFF", "The grid cable up to the AC disconnect, until it is open and locked."),
        *[("NOT OFF", _source_text(source)) for source in page["sources"]],
        ("NOT OFF", "Fan, detectors and this controller, on mains or UPS. Leave them on."),
        (
            "Can close again",
            "by itself after a loss of supply, unless it had tripped or was locked out."
            if page["restart_alone"]
            else "only when a person starts it.",
        ),
    ]


def _air(page: Facts) -> list[tuple[str, str]]:
    fan = (
        "Starts by itself on gas, on fire, and when the controller fails. Do not switch it off."
        if page["has_fan"]
        else "This site does not monitor its airflow."
    )
    hold_off = matrix_words.after(page["agent_hold_off_ms"])
    wait = f"waits {hold_off} after the release" if page["agent_hold_off_ms"] else "keeps running"
    agent = (
        "The release of the agent does not end the danger: unburnt gas stays in the cabinet. "
        f"The fan {wait}."
        if page["has_suppression"]
        else "No suppression in this cabinet."
    )
    return [
        ("Explosion control", EXPLOSION[page["explosion_control"]].capitalize() + "."),
        ("Fan", fan),
        ("Agent", agent),
        ("Smell, hiss, white cloud", "Electrolyte gas: flammable and toxic. Keep upwind."),
    ]
