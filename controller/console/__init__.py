"""The pages and commands of `firebreak`. They show facts and send requests, but decide nothing."""
