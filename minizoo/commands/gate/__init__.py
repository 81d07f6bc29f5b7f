"""`minizoo gate` and its calibration; never decides anything itself."""
