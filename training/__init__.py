"""What the trainings are made of: corpus sampling, the codec, losses, discriminators, the loop."""
