"""Networks that get wider or deeper while they train, each method from its paper."""
