"""Losses: functions over tensors that return a total and a count; `core` carries all of them."""
