"""The training loop: steps, schedules, states, logs and processes."""
