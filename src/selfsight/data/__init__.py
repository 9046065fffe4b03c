"""From a folder or a name to one memory-mapped array of square uint8 images, with labels."""
