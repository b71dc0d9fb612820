"""The engine of the rig. It simulates a cabinet, runs the controller and keeps the run's clock."""
