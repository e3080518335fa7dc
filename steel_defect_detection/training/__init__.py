"""Training: the settings, the task, the data, the callbacks and the run."""
