"""The generator of textssl.randomness as the kernels use it; it stands in text/, which draws with it, too."""

from __future__ import annotations

from textssl.text.random_kernels import FIRST as FIRST
from textssl.text.random_kernels import GAMMA as GAMMA
from textssl.text.random_kernels import SECOND as SECOND
from textssl.text.random_kernels import U64 as U64
from textssl.text.random_kernels import inlined as inlined
from textssl.text.random_kernels import kernel as kernel
from textssl.text.random_kernels import random_bits as random_bits
from textssl.text.random_kernels import scaled as scaled
