"""gensim's side of a benchmark, for the Python that has gensim: imports nothing of textssl, prints one JSON line.

python gensim_peer.py train SETTINGS_JSON
python gensim_peer.py analogies VECTORS QUESTIONS RESTRICT_VOCAB REPEATS
"""

from __future__ import annotations

import json
import sys
import time


def main() -> None:
    task, *rest = sys.argv[1:]
    result = train(*rest) if task == "train" else analogies(*rest)
    print(json.dumps(result))


def train(settings_json: str) -> dict[str, float]:
    """Word2Vec from a corpus file to saved vectors, in word2vec's binary format."""
    from gensim.models import Word2Vec

    settings = json.loads(settings_json)
    target = settings.pop("target")
    model = Word2Vec(**settings)
    model.wv.save_word2vec_format(target, binary=True)
    words = sum(model.wv.get_vecattr(word, "count") for word in model.wv.index_to_key) * model.epochs
    return {"training_s": model.total_train_time, "words_per_s": words / model.total_train_time}


def analogies(vectors: str, questions: str, restrict_vocab: str, repeats: str) -> dict[str, object]:
    """evaluate_word_analogies on loaded vectors."""
    from gensim.models import KeyedVectors

    loaded = KeyedVectors.load_word2vec_format(vectors, binary=True)
    times, score, sections = [], 0.0, []
    for _ in range(int(repeats)):
        start = time.perf_counter()
        score, sections = loaded.evaluate_word_analogies(questions, restrict_vocab=int(restrict_vocab))
        times.append(time.perf_counter() - start)
    total = sections[-1]
    return {"times_s": times, "accuracy": score, "asked": len(total["correct"]) + len(total["incorrect"])}


if __name__ == "__main__":
    main()
