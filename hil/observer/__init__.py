"""The observer: reads wires and plant, never the controller."""
