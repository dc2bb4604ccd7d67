"""Tags and pictures of audio files: read from every container, written where there is room."""
