"""Models: LightGBM and Mamba, their weight and calibration, and their versions on disk."""
