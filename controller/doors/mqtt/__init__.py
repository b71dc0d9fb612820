"""The MQTT door sends state, events and alarms to a broker, and receives hints from it."""
