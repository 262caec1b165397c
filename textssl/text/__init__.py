"""From raw text to word ids: tokenizers, vocabulary, token store, phrases, n-grams and windows."""
