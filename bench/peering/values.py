"""Values of the peers' messages, as DataContractJsonSerializer writes them."""

import json
import random
from typing import Final

CONTRACTS: Final = ":http:\\/\\/schemas.microsoft.com\\/xrm\\/2011\\/Contracts"

WORDS: Final = (
    *("offer", "pending", "invoice", "renewal", "contract", "delivery", "North", "Q3", "follow-up", "50/50"),
    *("Müller & Söhne", "route_66", "café", "été", "naïve", "“quoted”", "注文", "東京", "Ελλάδα", "😀"),
    *("C:\\temp", 'say "hi"', "line\nbreak", "alpha", "beta", "gamma"),
)


class Values:
    """Draws values.

    Args:
        rng: Where from.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def value(self, kind: str) -> str:
        """Return the JSON of a value of a kind; 5 % are null."""
        rng = self._rng
        if rng.random() < 0.05:
            return "null"
        match kind:
            case "text":
                return self.text(rng.randint(1, 6))
            case "choice":
                return self.typed("OptionSetValue", str(rng.randint(0, 9)))
            case "choices":
                codes = rng.sample(range(9), rng.randint(1, 4))
                return f"[{','.join(self.typed('OptionSetValue', str(code)) for code in codes)}]"
            case "lookup":
                return self.reference("contact", self.guid(), self.text(2) if rng.random() < 0.5 else "null")
            case "boolean":
                return rng.choice(("true", "false"))
            case "money":
                return self.typed("Money", self._number(4, 17 if rng.random() < 0.04 else 11))
            case "integer":
                return str(rng.randint(-(2**31), 2**31 - 1))
            case "decimal":
                return self._number(10, 20)
            case "double":
                return str(round(rng.uniform(-1e5, 1e5), 4))
            case "date":
                return f'"\\/Date({rng.randint(-20_000, 20_000) * 86_400_000})\\/"'
            case _:
                return f'"\\/Date({rng.randint(1_500_000_000, 1_800_000_000)}000)\\/"'

    def text(self, words: int) -> str:
        """Return so many words."""
        escaped = json.dumps(" ".join(self._rng.choices(WORDS, k=words)), ensure_ascii=False)
        return escaped.replace("/", "\\/").replace("😀", "\\ud83d\\ude00")

    def reference(self, table: str, key: str, name: str) -> str:
        """Return a reference to a row, with its name in JSON."""
        return (
            f'{{"__type":"EntityReference{CONTRACTS}","Id":"{key}","KeyAttributes":[],"LogicalName":"{table}",'
            f'"Name":{name},"RowVersion":null}}'
        )

    def typed(self, name: str, value: str) -> str:
        """Return a value that says its type."""
        return f'{{"__type":"{name}{CONTRACTS}","Value":{value}}}'

    def guid(self) -> str:
        """Return an identifier."""
        text = f"{self._rng.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def _number(self, scale: int, digits: int) -> str:
        """Return a number of so many decimals; half of them end in zeros."""
        rng = self._rng
        number = rng.randrange(10 ** rng.randint(1, digits))
        if rng.random() < 0.5:
            number = number // 10 ** (scale - 2) * 10 ** (scale - 2)
        text = str(number).rjust(scale + 1, "0")
        return f"{'-' if rng.random() < 0.1 and number else ''}{text[:-scale]}.{text[-scale:]}"
