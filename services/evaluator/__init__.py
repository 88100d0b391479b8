"""Holds each contact's journeys and timers, and decides. Layers: app → processor → core."""
