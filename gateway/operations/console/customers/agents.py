"""What the section of customers needs of the gateway."""

from dataclasses import dataclass

from commands.limits import ServiceLimits
from gateway.processing.actions import Actions
from gateway.secrets import Keys


@dataclass(frozen=True, slots=True)
class Agents:
    """actions: executes what agents do. limits: of the service. keys: seal numbers in addresses of pages."""

    actions: Actions
    limits: ServiceLimits
    keys: Keys
