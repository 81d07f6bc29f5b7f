"""What a distillation would cost, by arithmetic alone; never a weight."""
