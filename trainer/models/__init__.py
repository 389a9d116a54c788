"""What is trained: LightGBM and Mamba, their weight and calibration, and the versions that they become."""
