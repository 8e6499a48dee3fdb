"""The networks of section 4 of the paper: LeNet and the pre-activation ResNet-18."""
