"""A local stand-in for the parts of AWS that this project talks to. See README.md."""
