"""Templates of pages."""

from gateway.operations.console.rendering import shipped


def test_all_templates_are_compiled_at_the_start() -> None:
    """No request does it: it would stop the loop."""
    templates, _ = shipped()
    names = templates.list_templates()
    assert "overview.html" in names
    assert templates.cache is not None
    assert len(templates.cache) == len(names)
