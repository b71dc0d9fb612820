"""A door is a program that sends the state of the cabinet over a network, and accepts hints."""
