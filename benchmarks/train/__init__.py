"""What each training method gives on real data, against what its paper says."""
