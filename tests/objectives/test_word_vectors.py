"""Skip-gram and CBOW from documents to vectors: every variant learns, and reaches the loss that theory gives."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.objectives.topics import TOPICS, WORDS_PER_TOPIC, documents, topic_gap, train_small
from textssl.embeddings import Embeddings
from textssl.errors import DataError, UsageError
from textssl.objectives.base import Setting
from textssl.objectives.base_word_vectors import WordVectors, WordVectorsConfig

NUM_WORDS = 2 * WORDS_PER_TOPIC
HS = {"output": "hierarchical_softmax"}
NGRAMS = {"min_n": 3, "max_n": 4}
VARIANTS = {
    "skipgram": ("skipgram", {}),
    "skipgram, fixed window": ("skipgram", {"window_width": "fixed"}),
    "skipgram, hierarchical softmax": ("skipgram", HS),
    "skipgram, n-grams": ("skipgram", NGRAMS),
    "skipgram, n-grams, hierarchical softmax": ("skipgram", {**NGRAMS, **HS}),
    "skipgram, subsampled": ("skipgram", {"subsample": 0.01, "epochs": 8}),
    "skipgram, many light noise words": ("skipgram", {"window_noise": 20}),
    "cbow": ("cbow", {}),
    "cbow, hierarchical softmax": ("cbow", HS),
    "cbow, n-grams": ("cbow", NGRAMS),
    "cbow, sum": ("cbow", {"combine": "sum"}),
    "cbow, divided gradient": ("cbow", {"input_gradient": "divided"}),
}
# The best loss when a word tells no more than its topic of 16 words: a word of it is the true one at a rate of 1 / 16,
# and noise at a rate of 5 / 32 less where it is the true one, which does not count; the score is the log of the odds.
NOISE_RATE = 5 / NUM_WORDS * (1 - 1 / WORDS_PER_TOPIC)
ODDS = 1 / WORDS_PER_TOPIC / NOISE_RATE
BEST_NOISE_LOSS = math.log(1 + 1 / ODDS) + WORDS_PER_TOPIC * NOISE_RATE * math.log(1 + ODDS)
BEST_PATH_LOSS = math.log(WORDS_PER_TOPIC)  # hierarchical softmax is a distribution: the entropy of a word in its topic


@pytest.mark.parametrize("name", VARIANTS)
def test_engine_cpu_learns_topics(name, tmp_path):
    method, options = VARIANTS[name]
    result = train_small(tmp_path, method, **options)
    losses = result.summary.epoch_losses
    assert losses[-1] < losses[0]
    assert topic_gap(Embeddings.load(result.run)) > 0.6


@pytest.mark.parametrize("method", ["skipgram", "cbow"])
@pytest.mark.parametrize("options", [{}, HS, NGRAMS], ids=["noise", "paths", "n-grams"])
def test_engine_reference_learns_topics(method, options, tmp_path):
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        result = train_small(tmp_path, method, documents(300), engine="reference", batch_words=48, **options)
    finally:
        torch.set_num_threads(threads)
    assert topic_gap(Embeddings.load(result.run)) > 0.6
    best = BEST_PATH_LOSS if options is HS else BEST_NOISE_LOSS
    assert result.summary.epoch_losses[-1] == pytest.approx(best, rel=0.05)


@pytest.mark.parametrize("method", ["skipgram", "cbow"])
@pytest.mark.parametrize(
    ("options", "best"),
    [({}, BEST_NOISE_LOSS), ({"window_noise": 20}, BEST_NOISE_LOSS), (HS, BEST_PATH_LOSS)],
    ids=["noise", "lighter noise", "paths"],
)
def test_loss_per_pair_reaches_the_best_that_there_is(method, options, best, tmp_path):
    result = train_small(tmp_path, method, **options)
    assert result.summary.epoch_losses[-1] == pytest.approx(best, rel=0.03)


@pytest.mark.parametrize("method", ["skipgram", "cbow"])
@pytest.mark.parametrize("ngrams", [{}, NGRAMS], ids=["words", "n-grams"])
@pytest.mark.parametrize("window_noise", [None, 3, 40])
def test_loss_before_learning_is_that_of_fair_coins(method, ngrams, window_noise, tmp_path):
    result = train_small(
        tmp_path, method, documents(100), epochs=1, learning_rate=1e-9, window_noise=window_noise, **ngrams
    )
    # all scores are 0; one term for the word, the weight of five for noise, less that which is the word itself
    expected = math.log(2) * (1 + 5 * (1 - 1 / NUM_WORDS))
    assert result.summary.loss_nats == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("method", ["skipgram", "cbow"])
def test_loss_before_learning_is_that_of_a_fair_coin_at_every_node(method, tmp_path):
    corpus = [[word] * 4 for topic in TOPICS for word in topic]  # all words equally often: every path has 5 nodes
    result = train_small(tmp_path, method, corpus, epochs=1, learning_rate=1e-9, **HS)
    assert result.summary.loss_nats == pytest.approx(5 * math.log(2), rel=1e-6)


def test_other_seed_gives_other_vectors_of_the_same_quality(tmp_path):
    results = [train_small(tmp_path, out=tmp_path / str(seed), seed=seed) for seed in (1, 2)]
    first, second = (Embeddings.load(result.run) for result in results)
    assert not np.allclose(first["sea0"], second["sea0"], atol=0.01)
    assert results[0].summary.loss_nats == pytest.approx(results[1].summary.loss_nats, rel=0.02)
    assert topic_gap(first) == pytest.approx(topic_gap(second), abs=0.1)


def test_two_threads_learn_as_well_as_one(tmp_path):
    def loss(threads, seed):
        out = tmp_path / f"{threads}-{seed}"
        return train_small(tmp_path, out=out, threads=threads, seed=seed).summary.loss_nats

    one, two, five = (np.mean([loss(threads, seed) for seed in (1, 2)]) for threads in (1, 2, 5))
    assert two == pytest.approx(one, rel=0.02)
    assert five == pytest.approx(one, rel=0.02)


def test_one_thread_gives_the_same_bits_twice(tmp_path):
    rows = [Embeddings.load(train_small(tmp_path, out=tmp_path / name).run).vectors for name in ("first", "second")]
    assert np.array_equal(rows[0], rows[1])


SEA = ["harbour", "anchor", "sailor", "captain", "island", "current", "dolphin", "lobster", "compass", "lighthouse"]
SKY = ["thunder", "balloon", "feather", "glider", "rainbow", "planet", "meteor", "falcon", "horizon", "twilight"]


@pytest.mark.parametrize("method", ["skipgram", "cbow"])
def test_unseen_plurals_lie_with_the_topic_of_their_singulars(method, tmp_path):
    random = np.random.default_rng(1)
    corpus = [[str(word) for word in random.choice((SEA, SKY)[number % 2], 12)] for number in range(600)]
    embeddings = Embeddings.load(train_small(tmp_path, method, corpus, min_n=3, max_n=6).run)
    for own, other in ((SEA, SKY), (SKY, SEA)):
        for word in own:
            assert word + "s" not in embeddings.words
            cosines = [cosine(embeddings[word + "s"], embeddings[far]) for far in other]
            assert cosine(embeddings[word + "s"], embeddings[word]) > max(cosines) + 0.3


def cosine(first, second):
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def test_without_ngrams_unseen_words_have_no_vector(tmp_path):
    embeddings = Embeddings.load(train_small(tmp_path, epochs=1).run)
    assert "sea0s" not in embeddings


def test_words_vectors_and_counts_stand_in_the_order_of_the_vocabulary(tmp_path):
    corpus = [["b", "a", "b", "c"], ["c", "b", "a", "d"]]
    embeddings = Embeddings.load(train_small(tmp_path, corpus=corpus, epochs=1).run)
    assert list(embeddings.words) == ["b", "a", "c", "d"]
    assert list(embeddings.counts) == [3, 2, 2, 1]
    assert embeddings.vectors.shape == (4, 16)
    assert embeddings.context is None


def test_context_vectors_are_kept_on_request(tmp_path):
    embeddings = Embeddings.load(train_small(tmp_path, keep_context=True).run)
    assert embeddings.context.shape == embeddings.vectors.shape
    # a word and its topic's words have met: their input and context vectors score high
    places = [[embeddings.words.find(word) for word in topic] for topic in TOPICS]
    scores = embeddings.vectors @ embeddings.context.T
    assert scores[np.ix_(places[0], places[0])].mean() > scores[np.ix_(places[0], places[1])].mean() + 1


def test_phrases_get_vectors_of_their_own(tmp_path):
    random = np.random.default_rng(3)
    words = [f"w{number}" for number in range(40)]
    corpus = [
        [*random.choice(words, 4).tolist(), "new", "york", "city", *random.choice(words, 4).tolist()]
        for _ in range(400)
    ]
    embeddings = Embeddings.load(
        train_small(tmp_path, corpus=corpus, phrases=2, phrase_threshold=5.0, min_count=5, epochs=1).run
    )
    assert "new_york_city" in embeddings
    assert "york" not in embeddings


def test_presets_set_options_and_flags_come_before_them(tmp_path):
    result = train_small(tmp_path, preset="subwords", epochs=1, max_n=4)
    assert any("n-grams of 3 to 4 characters" in line for line in result.notes)


@pytest.mark.parametrize("number", [2, 3, 7, 63, 64, 65, 200])
@pytest.mark.parametrize("threads", [1, 3])
def test_tiny_corpora_are_trained(number, threads, tmp_path):
    corpus = [["a", "b"] * (number // 2) + ["a"] * (number % 2)]
    result = train_small(tmp_path, corpus=corpus, threads=threads, epochs=2)
    assert result.summary.units == 2 * number
    assert math.isfinite(result.summary.loss_nats)
    assert Embeddings.load(result.run).vectors.shape == (2, 16)


def test_documents_of_one_word_have_no_pairs_to_learn_from(tmp_path):
    with pytest.raises(DataError, match="there was nothing to learn from in 3 words: the loss had no terms"):
        train_small(tmp_path, corpus=[["a"], ["b"], ["a"]], epochs=1)
    result = train_small(tmp_path / "pairs", corpus=[["a"], ["b", "a"]], epochs=1)
    assert len(Embeddings.load(result.run).words) == 2


@pytest.mark.parametrize("name", ["skipgram", "cbow"])
def test_lengths_of_ngrams_must_fit(name, tmp_path):
    with pytest.raises(
        UsageError, match=r"min_n must be at most max_n and both 0 or both above, got 3 and 0"
    ) as caught:
        train_small(tmp_path, name, min_n=3)
    assert "--min-n 3 --max-n 6" in caught.value.hint


def test_noise_words_are_refused_where_none_are_drawn(tmp_path):
    message = r"hierarchical softmax draws no noise words, got window_noise 30"
    with pytest.raises(UsageError, match=message) as caught:
        train_small(tmp_path, window_noise=30, **HS)
    assert "--window-noise" in caught.value.hint


@pytest.mark.parametrize(
    ("method", "options", "number", "weight"),
    [
        ("skipgram", {}, 5, 1.0),
        ("cbow", NGRAMS, 5, 1.0),
        ("skipgram", NGRAMS, 30, 1 / 6),
        ("skipgram", {**NGRAMS, "window_noise": 10}, 10, 0.5),
        ("skipgram", HS, 0, 1.0),
    ],
)
def test_noise_words_of_a_window_weigh_as_much_as_the_negatives_of_its_pairs(method, options, number, weight):
    setting = Setting(seed=1, num_threads=1, device="cpu", cache=None, start=None)
    prepared = WordVectors(method, None, WordVectorsConfig(window=5, **options), setting)
    assert (prepared.noise_per_window, prepared.noise_weight) == (number, pytest.approx(weight))


def test_engine_cpu_is_refused_on_another_device(tmp_path, monkeypatch):
    monkeypatch.setattr("textssl.commands.train._device", lambda device: device)
    with pytest.raises(UsageError, match=r"the engine cpu runs on the device cpu, got cuda"):
        train_small(tmp_path, device="cuda", engine="cpu")


def test_the_facts_that_come_along_are_learnt(tmp_path):
    result = train_small(tmp_path, corpus="facts", epochs=2, min_count=2, limit=4000)
    assert result.summary.epoch_losses[1] < result.summary.epoch_losses[0]
