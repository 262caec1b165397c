"""Models: torch modules that turn ids into hidden vectors; the objective scores these, the losses never see a model."""
