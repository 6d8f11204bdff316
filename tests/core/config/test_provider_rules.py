"""Who may see a photo."""

from functions.core.config.provider_rules import ProviderRules
from functions.core.shared.providers import Provider


def test_a_provider_sees_photos_of_the_regions_it_is_given() -> None:
    """All, if nothing is said; none, if none is named; in any capitals. OpenAI sees all."""
    rules = ProviderRules(anthropic_regions=("US",), azure_regions=())
    assert [rules.may_see(Provider.ANTHROPIC, region) for region in ("us", "France")] == [True, False]
    assert [rules.may_see(each, "France") for each in (Provider.AZURE, Provider.OPENAI)] == [False, True]
    assert ProviderRules().may_see(Provider.AZURE, "France")
