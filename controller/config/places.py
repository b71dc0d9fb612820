"""What the responder sheet needs of the place: the section [responder]. Nothing else reads it."""

from controller.config.layers import TEXT, Spec

# key: how the sheet calls it
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
