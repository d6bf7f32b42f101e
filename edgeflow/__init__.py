"""edgeflow: from data and the name of a device to a verified, deployable artifact."""

__version__ = "0.1.0"
