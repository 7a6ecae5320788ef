"""Which time zones a node of any supported release knows."""

from __future__ import annotations

import functools
import zoneinfo

from .model import show
from .suggest import did_you_mean

# Old name, new name. The names that Debian since 13 and Ubuntu since 24.04 keep in the package
# tzdata-legacy, which no installation has by itself (canonical/chisel-releases,
# slices/tzdata-legacy.yaml, commit 0233e5d, read 2026-12), and what the tz database links them to
# (tzdata.zi of tzdata 2025b, the file backward).
_RENAMED = """
Africa/Asmera Africa/Asmara; America/Argentina/ComodRivadavia America/Argentina/Catamarca;
America/Buenos_Aires America/Argentina/Buenos_Aires; America/Catamarca
America/Argentina/Catamarca; America/Cordoba America/Argentina/Cordoba; America/Fort_Wayne
America/Indiana/Indianapolis; America/Godthab America/Nuuk; America/Indianapolis
America/Indiana/Indianapolis; America/Jujuy America/Argentina/Jujuy; America/Knox_IN
America/Indiana/Knox; America/Louisville America/Kentucky/Louisville; America/Mendoza
America/Argentina/Mendoza; America/Rosario America/Argentina/Cordoba; Antarctica/South_Pole
Pacific/Auckland; Asia/Ashkhabad Asia/Ashgabat; Asia/Calcutta Asia/Kolkata; Asia/Chungking
Asia/Shanghai; Asia/Dacca Asia/Dhaka; Asia/Katmandu Asia/Kathmandu; Asia/Macao Asia/Macau;
Asia/Rangoon Asia/Yangon; Asia/Saigon Asia/Ho_Chi_Minh; Asia/Thimbu Asia/Thimphu;
Asia/Ujung_Pandang Asia/Makassar; Asia/Ulan_Bator Asia/Ulaanbaatar; Atlantic/Faeroe
Atlantic/Faroe; Australia/ACT Australia/Sydney; Australia/LHI Australia/Lord_Howe; Australia/NSW
Australia/Sydney; Australia/North Australia/Darwin; Australia/Queensland Australia/Brisbane;
Australia/South Australia/Adelaide; Australia/Tasmania Australia/Hobart; Australia/Victoria
Australia/Melbourne; Australia/West Australia/Perth; Brazil/Acre America/Rio_Branco;
Brazil/DeNoronha America/Noronha; Brazil/East America/Sao_Paulo; Brazil/West America/Manaus;
Canada/Atlantic America/Halifax; Canada/Central America/Winnipeg; Canada/Eastern
America/Toronto; Canada/Mountain America/Edmonton; Canada/Newfoundland America/St_Johns;
Canada/Pacific America/Vancouver; Canada/Saskatchewan America/Regina; Canada/Yukon
America/Whitehorse; Chile/Continental America/Santiago; Chile/EasterIsland Pacific/Easter; Cuba
America/Havana; Egypt Africa/Cairo; Eire Europe/Dublin; Europe/Kiev Europe/Kyiv; Europe/Uzhgorod
Europe/Kyiv; Europe/Zaporozhye Europe/Kyiv; GB Europe/London; GB-Eire Europe/London; GMT+0
Etc/GMT; GMT-0 Etc/GMT; GMT0 Etc/GMT; Greenwich Etc/GMT; Hongkong Asia/Hong_Kong; Iceland
Africa/Abidjan; Iran Asia/Tehran; Israel Asia/Jerusalem; Jamaica America/Jamaica; Japan
Asia/Tokyo; Kwajalein Pacific/Kwajalein; Libya Africa/Tripoli; Mexico/BajaNorte America/Tijuana;
Mexico/BajaSur America/Mazatlan; Mexico/General America/Mexico_City; NZ Pacific/Auckland;
NZ-CHAT Pacific/Chatham; Navajo America/Denver; PRC Asia/Shanghai; Pacific/Enderbury
Pacific/Kanton; Pacific/Ponape Pacific/Guadalcanal; Pacific/Truk Pacific/Port_Moresby; Poland
Europe/Warsaw; Portugal Europe/Lisbon; ROC Asia/Taipei; ROK Asia/Seoul; Singapore
Asia/Singapore; Turkey Europe/Istanbul; UCT Etc/UTC; US/Alaska America/Anchorage; US/Aleutian
America/Adak; US/Arizona America/Phoenix; US/Central America/Chicago; US/East-Indiana
America/Indiana/Indianapolis; US/Eastern America/New_York; US/Hawaii Pacific/Honolulu;
US/Indiana-Starke America/Indiana/Knox; US/Michigan America/Detroit; US/Mountain America/Denver;
US/Pacific America/Los_Angeles; US/Samoa Pacific/Pago_Pago; Universal Etc/UTC; W-SU
Europe/Moscow; Zulu Etc/UTC
"""
#: Old name → the name that all releases have.
LEGACY = dict(pair.split() for pair in _RENAMED.split(";"))
# Rules and no places, which the tz database made links in 2024b.
_ABBREVIATIONS = frozenset(
    "CET CST6CDT EET EST EST5EDT HST MET MST MST7MDT PST8PDT WET".split()  # noqa: SIM905
)
# Names that zoneinfo lists beside the zones.
_NO_ZONES = frozenset({"Factory", "localtime", "posixrules"})
_LISTED = "a name that 'timedatectl list-timezones' prints"


def time_zone_mistake(given: str) -> tuple[str, str]:
    """Say what is wrong with a time zone, and what would be right; "" and "" when nothing is.

    Args:
        given: its name, such as ``Europe/Berlin``.
    """
    known = _time_zones()
    if given in LEGACY:
        wrong = f"{show(given)} is an old name, which Debian 13 and Ubuntu 24.04 do not know"
        return f"{wrong} (it is in tzdata-legacy)", LEGACY[given]
    if given in _ABBREVIATIONS:
        wrong = f"{show(given)} is an abbreviation, which not every release knows"
        return wrong, "the zone of a place, such as Europe/Berlin or America/New_York"
    if not known:
        wrong = "this controller has no time-zone database to check it with"
        return wrong, "install the package tzdata on the controller"
    if given not in known:
        close = did_you_mean(given, known - LEGACY.keys() - _ABBREVIATIONS)
        hint = close.partition("?")[0] + "? " if close.startswith("did") else ""
        return f"there is no time zone {show(given)}", f"{hint}{_LISTED}"
    return "", ""


@functools.cache
def _time_zones() -> frozenset[str]:
    """The names in the tz database; listing them walks a folder of 1800 files."""
    return frozenset(zoneinfo.available_timezones()) - _NO_ZONES
