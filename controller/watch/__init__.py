"""The watch beside a scheduler. It tells the cabinet how the queue will change the load."""
