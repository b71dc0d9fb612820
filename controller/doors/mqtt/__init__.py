"""MQTT: sends state, events and alarms to a broker, and takes hints from it."""
