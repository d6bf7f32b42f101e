"""What kernel sets for wide registers share: images with margins, weights in blocks, pools."""
