"""Numbers that are known by their check digits: payment cards and bank accounts."""

from __future__ import annotations

import re
from typing import Final

_CARD: Final = "[redacted:card]"
_IBAN: Final = "[redacted:iban]"

# Digits in groups, with one space, no-break space or dash between them.
_DIGITS: Final = re.compile("[0-9](?:[ \u00a0-]?[0-9]){12,}+")
_GROUP: Final = re.compile("[0-9]++")
# https://en.wikipedia.org/wiki/ISO/IEC_7812: payment cards begin with 2 to 6 and have 13 to 19 digits.
_ISSUERS: Final = frozenset("23456")
_SHORTEST_CARD: Final = 13
_LONGEST_CARD: Final = 19
# What each second digit counts for: doubled, and its digits summed.
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)

# https://en.wikipedia.org/wiki/International_Bank_Account_Number: 15 to 34 letters and digits, printed in groups of four.
_ACCOUNT: Final = re.compile(r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}")
_SHORTEST_IBAN: Final = 15


def cards_out(text: str) -> str:
    """`text` with `[redacted:card]` for each number that passes the Luhn check of payment cards."""
    return _DIGITS.sub(_without_cards, text)


def _without_cards(found: re.Match[str]) -> str:
    run = found[0]
    groups = [(group.start(), group.end()) for group in _GROUP.finditer(run)]
    parts, done, first = [], 0, 1 if _is_fraction(found) else 0
    while first < len(groups):
        last = _end_of_card(run, groups, first)
        if last is None:
            first += 1
            continue
        parts += [run[done : groups[first][0]], _CARD]
        done = groups[last][1]
        first = last + 1
    return "".join([*parts, run[done:]]) if parts else run


def _is_fraction(found: re.Match[str]) -> bool:
    """Whether the first digits are those after a decimal point: vectors are full of them."""
    before = found.string[max(found.start() - 2, 0) : found.start()]
    return before.endswith(".") and before[:1].isdigit()


def _end_of_card(run: str, groups: list[tuple[int, int]], first: int) -> int | None:
    """The index of the last of the groups that make a card number together with the one at `first`."""
    if run[groups[first][0]] not in _ISSUERS:
        return None
    digits = ""
    for last in range(first, len(groups)):
        digits += run[groups[last][0] : groups[last][1]]
        if len(digits) > _LONGEST_CARD:
            return None
        if len(digits) >= _SHORTEST_CARD and _passes_luhn(digits):
            return last
    return None


def _passes_luhn(digits: str) -> bool:
    numbers = [ord(digit) - 48 for digit in reversed(digits)]
    return (sum(numbers[::2]) + sum(_DOUBLED[number] for number in numbers[1::2])) % 10 == 0


def ibans_out(text: str) -> str:
    """`text` with `[redacted:iban]` for each account number that passes its check."""
    parts, done, position = [], 0, 0
    while (found := _ACCOUNT.search(text, position)) is not None:
        length = _length_of_iban(found, text)
        if length is None:
            position = found.start() + 1
            continue
        parts += [text[done : found.start()], _IBAN]
        done = position = found.start() + length
    return "".join([*parts, text[done:]]) if parts else text


def _length_of_iban(found: re.Match[str], text: str) -> int | None:
    """How many characters of what was found are an account number: words may follow that look like groups of it."""
    matched, start = found[0], found.start()
    if start and text[start - 1].isalnum():
        return None
    ends = [len(matched), *(end for end in range(len(matched) - 1, 0, -1) if matched[end] == " ")]
    for end in ends:
        inside_word = text[start + end : start + end + 1].isalnum()
        if not inside_word and _passes_mod_97(matched[:end].replace(" ", "")):
            return end
    return None


def _passes_mod_97(account: str) -> bool:
    if len(account) < _SHORTEST_IBAN:
        return False
    return int("".join(str(int(letter, 36)) for letter in account[4:] + account[:4])) % 97 == 1
