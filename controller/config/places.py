"""The section [responder]: the words of the place for the responder sheet alone."""

from controller.forms.field import named

# key: its label on the sheet
PLACES = {
    "call": "Who answers at all hours",
    "address": "Address",
    "key_at": "Keys",
    "disconnect_at": "AC disconnect",
    "water_at": "Hydrant",
    "beside": "Beside it",
}
RESPONDER = {key: named(f"{words}, on one line of ASCII", "free") for key, words in PLACES.items()}
