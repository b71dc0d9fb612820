"""Value mode: controller and plant without bytes between them, for hours to quarters."""
