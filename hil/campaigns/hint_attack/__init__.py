"""`python -m hil hint-attack`: bad hints against a real controller; none may be taken."""
