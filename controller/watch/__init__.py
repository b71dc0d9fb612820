"""The watch runs beside a scheduler and tells the cabinet how the queue will change the load."""
