"""The connection to an MQTT broker, for the doors and for the dispatcher."""
