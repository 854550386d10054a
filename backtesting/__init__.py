"""The domain: strategies, simulation and metrics on arrays; it imports nothing of ours from outside itself."""

VERSION = "0.1.0"
CONTRACT_VERSION = "1.0"
