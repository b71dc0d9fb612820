"""Feeds of the planner: each adapter reads one kind of source into Points."""
