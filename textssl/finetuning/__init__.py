"""From a pre-trained model and labelled texts to a classifier: labels, examples, training, baselines, report."""
