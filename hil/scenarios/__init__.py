"""Scenarios: TOML files, their schema, actions and expectations."""
