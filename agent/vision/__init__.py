"""Pixel and tensor maths: no files, no devices, no state."""
