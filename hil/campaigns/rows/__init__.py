"""`python -m hil rows` trips every stage of the cause-and-effect matrix and checks effects."""
