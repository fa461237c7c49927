"""The upstream world: who answers (`kinds/`), in which wire format (`dialects/`), over what (`transport/`), what runs here (`local/`)."""
