"""Tags and pictures of audio files: read from every container, and written into those with room."""
