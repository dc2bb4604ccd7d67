"""What a .nac file says of itself, and where its bits go."""
