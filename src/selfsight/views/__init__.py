"""Random views of a batch of images: tensor operations on the batch's device, drawn per sample.

`presets` is what the rest of the tool uses and `augmentation` what it is made of. `geometry`,
`colour` and `filters` hold the operations, which take their parameters and draw nothing unless
their names begin with `random_`. Every draw comes from torch's default generator of the batch's
device: the same seed gives the same views.
"""
