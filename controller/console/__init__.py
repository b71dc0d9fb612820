"""The pages and commands of `firebreak`, for people and scripts. This room decides nothing."""
