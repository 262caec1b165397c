"""interop/hugging_face.py: the exported folder, and transformers itself where it is installed."""

import importlib.util
import json
import sys

import pytest
import torch

from tests.models.small_models import ids_and_documents, logits, settings, small_tokenizer
from textssl.errors import DataError, UsageError
from textssl.generation import Sampling, generate
from textssl.interop.hugging_face import export_folder, model_card, to_transformers, transformer_folder, with_template
from textssl.models.base_folder import load_model, save_model

needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
)


@pytest.fixture
def run(tmp_path):
    """A run folder as far as export looks at it."""
    save_model(tmp_path / "run" / "model", settings()["encoder"], small_tokenizer(), metadata={"objective": "a|b"})
    return tmp_path / "run"


def test_export_holds_the_same_model_and_a_card(run, tmp_path):
    made = export_folder(run, tmp_path / "hub")
    names = {"README.md", "config.json", "manifest.json", "model.safetensors", "tokenizer.json"}
    assert {path.name for path in made.iterdir()} == names | {"tokenizer_config.json", "special_tokens_map.json"}
    loaded, _ = load_model(made)
    assert torch.equal(logits(loaded, *ids_and_documents()), logits(settings()["encoder"], *ids_and_documents()))
    card = (made / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers\npipeline_tag: fill-mask\n")
    assert "| objective | a\\|b |" in card
    assert "AutoModelForMaskedLM.from_pretrained" in card
    with pytest.raises(UsageError, match="exists already"):
        export_folder(run, tmp_path / "hub")
    assert export_folder(run, tmp_path / "hub", replace=True) == made


def test_export_refuses_what_is_no_transformer_and_what_is_damaged(run, tmp_path):
    with pytest.raises(DataError, match="holds no transformer\nGive a finished run"):
        transformer_folder(tmp_path)
    weights = run / "model" / "model.safetensors"
    weights.write_bytes(b"\xff" * weights.stat().st_size)
    with pytest.raises(DataError, match="is damaged"):
        export_folder(run, tmp_path / "hub")
    assert not (tmp_path / "hub").exists()


@pytest.mark.parametrize(
    ("kind", "single", "pair"),
    [
        ("Encoder", [2, 5, 3], [2, 5, 3, 6, 3]),
        ("EncoderClassifier", [2, 5, 3], [2, 5, 3, 6, 3]),
        ("Decoder", [3, 5], [3, 5, 3, 6]),
        ("DecoderClassifier", [5, 3], [5, 3, 6, 3]),
    ],
)
def test_exported_tokenizer_builds_the_rows_of_training(kind, single, pair):
    from tokenizers import Tokenizer

    made = with_template(small_tokenizer(), kind)
    backend = Tokenizer.from_str(made.json_text)
    assert backend.encode("a").ids == single
    assert backend.encode("a", "b").ids == pair
    assert made.encode_batch(["a"])[0].tolist() == [5]
    assert with_template(made, "Decoder") is made


def test_tokenizer_without_special_tokens_keeps_its_rows():
    from textssl.text.tokenizer import Tokenizer

    values = json.loads(small_tokenizer().json_text)
    values["model"]["vocab"] = {"x": 0, "y": 1}
    values["model"]["unk_token"] = "x"
    values["added_tokens"] = []
    plain = Tokenizer.from_json_text(json.dumps(values))
    assert with_template(plain, "Encoder") is plain


def test_missing_transformers_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError, match="transformers is not installed\nInstall it with: pip install transformers"):
        to_transformers(settings()["encoder"], small_tokenizer())


def test_card_names_the_class_that_opens_each_model():
    cards = {name: model_card(model, {}) for name, model in settings().items()}
    assert "AutoModelForCausalLM" in cards["decoder"]
    assert "AutoModelForSequenceClassification" in cards["decoder_classifier"]


@needs_transformers
@pytest.mark.filterwarnings("ignore")
class TestWithTransformers:
    """The same numbers in the library itself, there and back."""

    @pytest.mark.parametrize("name", settings())
    def test_transformers_gives_the_same_logits_and_its_folder_is_read(self, name, tmp_path):
        model = settings()[name]
        theirs = to_transformers(model, small_tokenizer()).eval()
        ids_BT, documents_BT = ids_and_documents()
        with torch.no_grad():
            scores = theirs(input_ids=ids_BT, attention_mask=(documents_BT >= 0).long()).logits
        real = documents_BT >= 0 if scores.dim() == 3 else slice(None)
        assert (scores[real] - logits(model, ids_BT, documents_BT)[real]).abs().max() < 1e-5
        theirs.save_pretrained(tmp_path)
        small_tokenizer().save(tmp_path)
        back, _ = load_model(tmp_path)
        assert back.config == model.config
        assert torch.equal(logits(back.eval(), ids_BT, documents_BT), logits(model, ids_BT, documents_BT))

    @pytest.mark.parametrize("name", ["decoder", "decoder_grouped"])
    def test_greedy_generation_is_that_of_transformers(self, name):
        model, tokenizer = settings()[name], small_tokenizer()
        theirs = to_transformers(model, tokenizer).eval()
        ours = generate(model, tokenizer, ["a b"], max_new_tokens=10, sampling=Sampling(temperature=0))[0]
        ids = theirs.generate(torch.tensor([[3, 5, 6]]), max_new_tokens=10, do_sample=False)[0, 3:].tolist()
        assert ours.ids.tolist() == [id for id in ids if id != 3]

    def test_exported_folder_opens_with_its_tokenizer(self, run, tmp_path):
        from transformers import AutoModel, AutoTokenizer

        made = export_folder(run, tmp_path / "hub")
        tokenizer = AutoTokenizer.from_pretrained(made)
        assert tokenizer("a b [MASK]")["input_ids"] == [2, 5, 6, 4, 3]
        assert (tokenizer.mask_token_id, tokenizer.pad_token_id, tokenizer.model_max_length) == (4, 0, 16)
        body = AutoModel.from_pretrained(made).eval()
        ids_BT, _ = ids_and_documents()
        with torch.no_grad():
            hidden = body(input_ids=ids_BT).last_hidden_state
        torch.testing.assert_close(hidden, settings()["encoder"].hidden(ids_BT), atol=1e-5, rtol=0)

    def test_sliding_windows_of_a_foreign_folder_are_right(self, tmp_path):
        import transformers

        torch.manual_seed(0)
        config = transformers.ModernBertConfig(
            vocab_size=17, hidden_size=16, intermediate_size=12, num_hidden_layers=4, num_attention_heads=2,
            max_position_embeddings=32, local_attention=6, pad_token_id=0, bos_token_id=2, eos_token_id=3,
            cls_token_id=2, sep_token_id=3, initializer_range=0.3,
        )  # fmt: skip
        theirs = transformers.ModernBertForMaskedLM(config).eval()
        theirs.save_pretrained(tmp_path)
        small_tokenizer().save(tmp_path)
        model, _ = load_model(tmp_path)
        ids_BT = torch.randint(5, 17, (2, 30))
        documents_BT = torch.zeros_like(ids_BT)
        documents_BT[1, 20:] = -1
        with torch.no_grad():
            scores = theirs(input_ids=ids_BT, attention_mask=(documents_BT >= 0).long()).logits
        difference = scores - logits(model.eval(), ids_BT, documents_BT)
        assert difference[documents_BT >= 0].abs().max() < 1e-5
