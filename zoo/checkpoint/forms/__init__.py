"""What a folder or repository holds instead of safetensors, told by names, with the line that converts it; never converts."""
