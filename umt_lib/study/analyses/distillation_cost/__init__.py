"""What distillation gains and what it costs, as a function of its weight."""
