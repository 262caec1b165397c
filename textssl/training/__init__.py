"""The one loop for every method: tasks, trainer, checkpoints and progress."""
