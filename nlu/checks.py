"""Check digits: resident identity cards (GB 11643-1999) and payment cards (ISO/IEC 7812, Luhn)."""

from __future__ import annotations

from datetime import date

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = "10X98765432"


def is_id_card(number: str) -> bool:
    """Whether 18 characters are a well-formed identity number: digits, a real birth date, the right check character."""
    if len(number) != 18 or not number[:17].isdecimal() or not number.isascii() or number[0] == "0":
        return False
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number, _WEIGHTS, strict=False))
    return 1900 <= born.year <= 2100 and _CHECK[total % 11] == number[17]


def luhn(number: str) -> bool:
    """Whether the digits satisfy the Luhn formula."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        n = int(digit) * (2 if place % 2 else 1)
        total += n - 9 if n > 9 else n
    return total % 10 == 0


def is_bank_card(number: str) -> bool:
    """Whether 15 to 19 digits can be a payment card: a card industry prefix (3 to 6) and Luhn."""
    return number.isascii() and number.isdecimal() and 15 <= len(number) <= 19 and number[0] in "3456" and luhn(number)


def is_mobile(number: str) -> bool:
    """Whether 11 digits are a mainland mobile number."""
    return len(number) == 11 and number.isascii() and number.isdecimal() and number[0] == "1" and number[1] in "3456789"


def is_landline(number: str) -> bool:
    """Whether digits are a landline with area code (010, 02x, 0xxx), or a 400 or 800 number."""
    if not (number.isascii() and number.isdecimal()):
        return False
    if number.startswith(("400", "800")):
        return len(number) == 10
    if number.startswith(("010", "02")):
        return len(number) in (10, 11) and number[3] not in "01"
    return number.startswith("0") and number[1:2] not in ("0", "") and len(number) in (11, 12) and number[4] not in "01"


def is_order_number(number: str) -> bool:
    """Whether 12 digits can be an order number of the sample shop: they begin with the year."""
    return len(number) == 12 and number.isascii() and number.isdecimal() and number.startswith("20")
