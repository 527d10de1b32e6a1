"""What distillation gives and takes, over its weight."""
