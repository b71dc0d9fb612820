"""The watch beside a scheduler: it announces to the cabinet how the queue will change the load."""
