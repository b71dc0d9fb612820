"""The engine of the rig: the cabinet, its controller and the clock of a run."""
