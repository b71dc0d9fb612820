"""What is known of each row of the cause-and-effect matrix beside its numbers."""
