"""The planner: it sends schedules as hints."""
