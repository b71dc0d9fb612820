"""The section [responder]: the words of the place for the responder sheet alone."""

from controller.config.layers import TEXT
from controller.config.spec import Spec

# key: its label on the sheet
PLACES = {
    "call": "Who answers at all hours",
    "address": "Address",
    "key_at": "Keys",
    "disconnect_at": "AC disconnect",
    "water_at": "Hydrant",
    "beside": "Beside it",
}
RESPONDER = {
    key: Spec("named", (TEXT, f"{words}, on one line of ASCII"), None, "free")
    for key, words in PLACES.items()
}
