"""Value mode: controller and plant exchange values without bytes, for runs of hours to quarters."""
