"""MQTT: state, events and alarms to a broker, hints from it."""
