"""What is trained: LightGBM and Mamba, their weight and calibration, and the files that they become."""
