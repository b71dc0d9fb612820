"""Reports printed for people: check, matrix, checklist, responder sheet, reason handbook."""
