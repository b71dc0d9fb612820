"""The gateway for senders of hints: a separate process. The loop runs on if the gateway dies."""
