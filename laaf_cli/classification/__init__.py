"""Classification of images: data sets, augmentation, models with adaptive slopes and their training."""
