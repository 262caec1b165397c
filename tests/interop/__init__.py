"""Tests of the ways to other libraries."""
