"""Senders of hints to copy: each stands alone. They are programs, not modules."""
