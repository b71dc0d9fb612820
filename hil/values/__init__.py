"""Value mode: controller and plant exchange values without bytes, for runs from hours to months."""
