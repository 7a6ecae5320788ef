"""Evaluate a model of the user's own: an endpoint that answers, or a file of answers.

PyTorch is not needed.
"""
