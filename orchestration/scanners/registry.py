from django.conf import settings
from django.utils.module_loading import import_string

from orchestration.scanners.base import Scanner

SCANNERS = {
    "none": "orchestration.scanners.none.NoScanner",
    "clamd": "orchestration.scanners.clamd.ClamdScanner",
    "guardduty": "orchestration.scanners.guardduty.GuardDutyScanner",
}


def get_scanner() -> Scanner:
    """The one that the settings name."""
    scanner: Scanner = import_string(SCANNERS[settings.SCANNER])()
    return scanner
