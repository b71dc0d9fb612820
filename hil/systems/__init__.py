"""The systems of the mission, each simulated on its site: sizes, schedules, figures, and bills."""
