"""Scenarios: TOML files, their schema, their actions and expectations."""
