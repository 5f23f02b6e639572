"""Sizes for the web, a contact sheet and the camera data of many images."""
