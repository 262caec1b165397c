"""Writes tests/models/expected_logits.json with transformers; run by hand: python -m tests.interop.expect"""

import json
import tempfile
from pathlib import Path

import torch
import transformers

from tests.models.small_models import EXPECTED, ids_and_documents, settings, small_tokenizer
from textssl.models.base_folder import write_model

CLASSES = {
    "Encoder": transformers.AutoModelForMaskedLM,
    "Decoder": transformers.AutoModelForCausalLM,
    "EncoderClassifier": transformers.AutoModelForSequenceClassification,
    "DecoderClassifier": transformers.AutoModelForSequenceClassification,
}


def main() -> None:
    ids_BT, documents_BT = ids_and_documents()
    stored = {}
    for name, model in settings().items():
        with tempfile.TemporaryDirectory() as folder:
            write_model(Path(folder), model, small_tokenizer())
            theirs = CLASSES[type(model).__name__].from_pretrained(folder).eval()
        with torch.no_grad():
            scores = theirs(input_ids=ids_BT, attention_mask=(documents_BT >= 0).long()).logits
        stored[name] = {"shape": list(scores.shape), "logits": [round(value, 6) for value in scores.flatten().tolist()]}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(values)}" for name, values in stored.items())
    EXPECTED.write_text("{\n" + lines + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
