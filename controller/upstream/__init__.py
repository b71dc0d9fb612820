"""The gateway for senders of hints: a process of its own, whose death the loop never notices."""
