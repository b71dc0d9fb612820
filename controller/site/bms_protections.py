"""What a rack's BMS does by itself where it does not tell what a stage looks at, and what nobody
does then.

A BMS protects its cells at values: over and under voltage, over and under temperature, over-current
(A4). Those stages it does by limits of its own, which are not those of the matrix, and without the
fan, the alarms and the fire panel of this cabinet; its fault contact stops the cabinet (row 40),
which is why such a site must have it. What compares cells or modules with each other, or follows a
rise, is no such protection: without the values nobody does it, and a site says who accepted that.
Over-current (35, 36) is in neither table: every BMS tells its current.
"""

_LIMITS = (
    "it lowers the current limits that it tells and then opens the rack, at values of its maker"
)
_HOT = f"over-temperature protection of the BMS: {_LIMITS}"
_COLD = f"under-temperature protection of the BMS: {_LIMITS}"
_FULL = f"over-voltage protection of the BMS: {_LIMITS}"
_EMPTY = f"under-voltage protection of the BMS: {_LIMITS}"
# stage: which function of an ordinary BMS does its work.
DONE = {
    **dict.fromkeys(("18a", "18b", "19a", "19b", "20a", "20b"), _HOT),
    "21a": f"{_HOT}; no fan, no alarm and no fire panel follow",
    **dict.fromkeys(("25a", "25b"), _COLD),
    **dict.fromkeys(("27", "28", "29"), _FULL),
    **dict.fromkeys(("31a", "31b", "32"), _EMPTY),
    "33": f"{_EMPTY}; no key is asked for before it is charged again",
}
# stage: why no ordinary BMS does its work.
NOBODY = {
    "8c": "vapour is confirmed by a rise in temperature here, which no BMS looks for",
    "21b": "a module is compared with its rack",
    "22": "a rise is compared with what the current explains",
    "23a": "a rise is watched, long before a protection's value is reached",
    "23b": "a rise is watched, long before a protection's value is reached",
    "24": "a fall in voltage is watched together with other signs",
    **dict.fromkeys(("26a", "26b"), "modules are compared with each other"),
    **dict.fromkeys(
        ("34a", "34b", "34c"),
        "cells are compared with each other; a BMS balances them, which is slower",
    ),
    **dict.fromkeys(("45a", "45b"), "what a BMS does about its own sensors it does not tell"),
    **dict.fromkeys(("45c", "45d"), "modules are compared with each other"),
    "53": "two weak signs are added up, which is ours alone",
}
WORDS = "by the BMS's own limits"  # in place of a threshold
