"""The engine of the rig: cabinet, controller and clock of a run."""
