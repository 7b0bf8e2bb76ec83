"""What training minimises: differentiable functions of tensors, one value per image."""
