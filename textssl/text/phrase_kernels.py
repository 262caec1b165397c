"""Counting pairs of words, and joining those that are phrases, compiled.

A chain is a word, up to MAX_CONNECTORS connector words, and a word; the connectors between are one number, the
"middle": their numbers 1 to C as digits to the base C + 1. Chains never reach over a document's end.

The pair table is open-addressed, uint64 (slots, 2): the key first word * 2^32 + last word, and the value
middle * 2^40 + count; value 0 is an empty slot. One table holds one partition of the pairs, by their hash.
"""

from __future__ import annotations

import numpy as np

from textssl.text.bits import inlined, kernel, mix
from textssl.text.scan import DOCUMENT_END

MAX_CONNECTORS = 3
COUNT_BITS = 40
POSITION, DOCUMENT, START, MIDDLE, DEPTH, SIZE = range(6)
WRITTEN, NUM_PENDING = 2, 3
_COUNT_BITS = np.uint64(COUNT_BITS)
_COUNT_MASK = np.uint64((1 << COUNT_BITS) - 1)


@inlined
def _pair_hash(key, middle):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return mix(mix(np.uint64(0), key), np.uint64(middle))


@inlined
def _slot_of(pairs, key, middle, pair_hash):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """The slot of a pair, or the empty slot where it belongs."""
    last = len(pairs) - 1
    slot = np.int64(pair_hash >> np.uint64(20)) & last
    while pairs[slot, 1] != 0 and (pairs[slot, 0] != key or pairs[slot, 1] >> _COUNT_BITS != np.uint64(middle)):
        slot = (slot + 1) & last
    return slot


@kernel
def count_pairs(ids, offsets, roles, base, partitions, partition, pairs, state):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Count the pairs of one partition from state[POSITION] on; False when the table is half full.

    Args:
        ids, offsets: the store's.
        roles: of each word, int16 (V,): its number as a connector, 0 for a word that a phrase can begin or end with,
            -1 for other words.
        base: the number of connectors + 1.
        partitions: how many there are, a power of two.
        partition: which one to count.
        state: POSITION, DOCUMENT (the current one), START (the first word, -1 for none), MIDDLE, DEPTH, SIZE (pairs).
    """
    document, start, middle = state[DOCUMENT], state[START], state[MIDDLE]
    depth, size = state[DEPTH], state[SIZE]
    document_end = offsets[document + 1]
    complete = True
    position = state[POSITION]
    while position < len(ids):
        if position == document_end:
            document += 1
            document_end = offsets[document + 1]
            start = -1
        word = np.int64(ids[position])
        role = np.int64(roles[word])
        if role > 0:
            depth += 1
            middle = middle * base + role
            if depth > MAX_CONNECTORS:
                start = -1
            position += 1
            continue
        if start >= 0 and role == 0:
            key = np.uint64(start) << np.uint64(32) | np.uint64(word)
            pair_hash = _pair_hash(key, middle)
            if np.int64(pair_hash & np.uint64(0xFFFF)) & (partitions - 1) == partition:
                slot = _slot_of(pairs, key, middle, pair_hash)
                if pairs[slot, 1] == 0:
                    if 2 * size >= len(pairs):
                        complete = False
                        break
                    pairs[slot, 0] = key
                    pairs[slot, 1] = np.uint64(middle) << _COUNT_BITS
                    size += 1
                pairs[slot, 1] += np.uint64(1)
        start = word if role == 0 else -1
        middle = 0
        depth = 0
        position += 1
    state[POSITION], state[DOCUMENT], state[START], state[MIDDLE] = position, document, start, middle
    state[DEPTH], state[SIZE] = depth, size
    return complete


@kernel
def move_pairs(pairs, larger_than, new_pairs):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Copy the pairs that came more than `larger_than` times into another, empty table; how many they are."""
    size = 0
    for slot in range(len(pairs)):
        if (pairs[slot, 1] & _COUNT_MASK) > np.uint64(larger_than):
            middle = pairs[slot, 1] >> _COUNT_BITS
            place = _slot_of(new_pairs, pairs[slot, 0], middle, _pair_hash(pairs[slot, 0], middle))
            new_pairs[place, 0] = pairs[slot, 0]
            new_pairs[place, 1] = pairs[slot, 1]
            size += 1
    return size


@kernel
def fill_lookup(firsts, middles, lasts, pairs):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Enter phrase p with the value middle * 2^40 + p + 1."""
    for phrase in range(len(firsts)):
        key = np.uint64(firsts[phrase]) << np.uint64(32) | np.uint64(lasts[phrase])
        slot = _slot_of(pairs, key, middles[phrase], _pair_hash(key, middles[phrase]))
        pairs[slot, 0] = key
        pairs[slot, 1] = (np.uint64(middles[phrase]) << _COUNT_BITS) | np.uint64(phrase + 1)


@kernel
def join_pairs(ids, offsets, roles, base, pairs, stop, pending, numbers, counts, state):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Rewrite the words from state[POSITION] to `stop` with phrases joined, greedily from left to right.

    Args:
        pairs: as `fill_lookup` made them.
        pending: the words read but not written yet, int64 (MAX_CONNECTORS + 1,), state[NUM_PENDING] of them.
        numbers: takes word w as w, phrase p as V + p, and DOCUMENT_END; int32, state[WRITTEN] of them at the end.
        counts: how often each number was written, int64 (V + P,).
    """
    document, waiting = state[DOCUMENT], state[NUM_PENDING]
    written = 0
    for position in range(state[POSITION], stop + (stop == len(ids))):
        if position == offsets[document + 1]:
            for place in range(waiting):
                numbers[written] = pending[place]
                counts[pending[place]] += 1
                written += 1
            waiting = 0
            numbers[written] = DOCUMENT_END
            written += 1
            document += 1
            if position == len(ids):
                break
        word = np.int64(ids[position])
        role = np.int64(roles[word])
        if role > 0 and 0 < waiting <= MAX_CONNECTORS:
            pending[waiting] = word
            waiting += 1
            continue
        if role <= 0 and waiting > 0:
            middle = np.int64(0)
            for place in range(1, waiting):
                middle = middle * base + roles[pending[place]]
            key = np.uint64(pending[0]) << np.uint64(32) | np.uint64(word)
            found = pairs[_slot_of(pairs, key, middle, _pair_hash(key, middle)), 1]
            if found != 0:
                number = len(roles) + np.int64(found & _COUNT_MASK) - 1
                numbers[written] = number
                counts[number] += 1
                written += 1
                waiting = 0
                continue
        for place in range(waiting):
            numbers[written] = pending[place]
            counts[pending[place]] += 1
            written += 1
        pending[0] = word
        waiting = 1
        if role > 0:
            numbers[written] = word
            counts[word] += 1
            written += 1
            waiting = 0
    state[POSITION], state[DOCUMENT], state[WRITTEN], state[NUM_PENDING] = stop, document, written, waiting
