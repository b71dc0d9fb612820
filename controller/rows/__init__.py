"""Words, sources, equipment and tests of each row of the cause-and-effect matrix."""
