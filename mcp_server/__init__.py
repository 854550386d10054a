"""The protocol's side: tools and resources over the use cases."""
