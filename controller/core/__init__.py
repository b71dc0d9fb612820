"""Pure decisions on integers: from the process image to the set-point of each unit."""
