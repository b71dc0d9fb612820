"""One runner for the commands of the lab (`hil/campaigns`, `hil/systems`)."""
