"""The sub-environments. Each is one module that exports a `SPEC`; register it here."""

from polyguard_env.environment.subenvironments import ddi, longitudinal_deprescribing, regimen_risk
from polyguard_env.environment.subenvironments.spec import SubEnvironment

SPECS: dict[str, SubEnvironment] = {
    module.SPEC.name: module.SPEC for module in (ddi, regimen_risk, longitudinal_deprescribing)
}
