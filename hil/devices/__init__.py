"""Simulated devices, written from their protocols' documents. They share no driver code."""
