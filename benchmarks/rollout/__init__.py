"""Rollouts in simulated time: how often an equal version is taken back, and how soon a bad one."""
