"""Reports printed for people: check, matrix, checklist, reason handbook."""
