"""Projects for the vendors' high-level synthesis: C++ by hls4ml, exact to the last bit."""
