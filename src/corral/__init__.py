"""Corral: a self-hosted hub for machine learning that speaks Hugging Face's protocols."""

__version__ = "0.1.0"
