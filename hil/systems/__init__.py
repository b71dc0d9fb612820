"""The systems of the mission: sizes, series, schedules, figures, and the bill."""
