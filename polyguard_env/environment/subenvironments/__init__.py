"""The sub-environments. Each is one module that exports a `SPEC`; register it here."""

from polyguard_env.environment.subenvironments import (
    alternative_suggestion,
    bandit_mining,
    ddi,
    longitudinal_deprescribing,
    new_drug_decomposition,
    precision_dosing,
    regimen_risk,
    web_search_missing_data,
)
from polyguard_env.environment.subenvironments.spec import SubEnvironment

SPECS: dict[str, SubEnvironment] = {
    module.SPEC.name: module.SPEC
    for module in (
        ddi,
        bandit_mining,
        regimen_risk,
        precision_dosing,
        longitudinal_deprescribing,
        web_search_missing_data,
        alternative_suggestion,
        new_drug_decomposition,
    )
}
