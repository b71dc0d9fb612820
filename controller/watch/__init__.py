"""The watch beside a scheduler: it tells the cabinet what the queue will do."""
