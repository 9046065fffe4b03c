"""Where an encoder looks: maps of an image, toward a target, with checks that they are faithful."""
