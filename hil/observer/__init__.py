"""The observer outside the controller: what it sees on wires and in the plant."""
