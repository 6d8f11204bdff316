"""What models really write: each of these texts is the answer that it plainly is, or none."""

import json
from typing import Any

import pytest

from functions.core.model.classification import Answer
from functions.core.model.parsing import Completion, Unusable, parse_answer
from tests.builders import USAGE, answer, answer_json, answer_text

A = answer_text()
DRAFT = answer_text(category="Wet Waste", itemName="Banana")


def parse(text: str) -> Answer:
    """Parse an answer that is this text."""
    return parse_answer(Completion(text, None, USAGE))


def pretty(**changes: Any) -> str:
    """Return the answer as models lay it out."""
    return json.dumps(answer_json(**changes), indent=2, ensure_ascii=False)


def single_quoted() -> str:
    """Return the answer as Python prints it."""
    return repr(answer_json())


THE_ANSWER = {
    "plain": A,
    "pretty": pretty(),
    "byte order mark": "\ufeff" + A,
    "fence": f"```json\n{pretty()}\n```",
    "plain fence": f"```\n{A}\n```",
    "fence in capitals": f"```JSON\n{A}\n```",
    "fence that does not end": f"```json\n{A}",
    "tildes": f"~~~json\n{A}\n~~~",
    "chatter before": f"Here's the classification you asked for:\n\n{A}",
    "chatter after": f"{A}\n\nNote: rules differ, so check {{your council}}'s website (it's quick).",
    "braces before": f"I use the format {{category, disposal}} as told: {A}",
    "a brace that does not end": f"Format: {{ as told.\n{A}",
    "an end of turn": f"{A}<|im_end|>",
    "another end of turn": f"{A}</s><|end|>",
    "a comma before the brace": A[:-1] + ",}",
    "a comma and a comment": A[:-1] + ", // that is all\n}",
    "commas before brackets": pretty()
    .replace("\n  ]", ",\n  ]")
    .replace('"\n    ]', '",\n    ]')
    .replace('"\n  }', '",\n  }'),
    "a line comment": pretty().replace('"category"', '// see https://example.org\n  "category"'),
    "a block comment": pretty().replace('"category"', '/* {"dry"} */ "category"'),
    "a hash comment": pretty().replace('"category"', '# it\'s dry }\n  "category"'),
    "single quotes": single_quoted(),
    "names without quotes": pretty().replace('"itemName":', "itemName:").replace('"category":', "category :"),
    "curly quotes": pretty().replace('"itemName"', "“itemName”").replace('"category"', "„category“"),
    "Python's words": pretty().replace("true", "True").replace("false", "False").replace("null", "None"),
    "a line that ends within a text": A.replace('"Water bottle"', '"Water bottle\n"'),
    "in an object": json.dumps({"result": answer_json()}),
    "in two objects": json.dumps({"status": "ok", "data": {"classification": answer_json()}}),
    "in a list of one": json.dumps([answer_json()]),
    "in an object with a list of one": json.dumps({"items": [answer_json()]}),
    "as a text of JSON": json.dumps(A),
    "twice the same": f"{A}\n{pretty()}",
    "its own names": json.dumps({"item_name" if n == "itemName" else n: v for n, v in answer_json().items()}),
    "names in capitals": json.dumps({n[0].upper() + n[1:]: v for n, v in answer_json().items()}),
    "think": f"<think>First idea: {DRAFT}</think>{A}",
    "thinking": f'<thinking>\n{{"a": 1}}\n</thinking>\n{A}',
    "capitals": f"<THINK>{DRAFT}</THINK>{A}",
    "thought twice": f"<think>{DRAFT}</think> Well: <think>{DRAFT} </think>{A}",
    "thought within a thought": f"<think>a<think>{DRAFT}</think>{DRAFT}</think>{A}",
    "only the end of a thought": f"{DRAFT} Hm, no.</think>\n\n```json\n{A}\n```",
    "no thought at all": f"<think>\n\n</think>\n\n{A}",
    "Mistral": f"[THINK]{DRAFT}[/THINK]{A}",
    "Kimi": f"◁think▷{DRAFT}◁/think▷{A}",
    "Seed": f"<seed:think>{DRAFT}</seed:think>{A}",
    "Open Thoughts": f"<|begin_of_thought|>{DRAFT}<|end_of_thought|>{A}",
    "MedGemma": f"<unused94>thought {DRAFT}<unused95>{A}",
    "gpt-oss": f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant<|channel|>final<|message|>{A}",
    "a draft that is none": f'First: {{"itemName": "Bottle", "category": "Plastic"}}. Final: {A}',
    "a draft that is cut": f'{{"itemName": "Bottle", "category": \n\nLet me start again.\n{A}',
}


@pytest.mark.parametrize("text", THE_ANSWER.values(), ids=THE_ANSWER.keys())
def test_what_can_only_be_the_answer_is_the_answer(text: str) -> None:
    """A dialect of JSON, what is around it, and thoughts before it cost nobody a paid answer, nor change it."""
    assert parse(text) == answer()


NO_ANSWER = {
    "two that differ": f"{DRAFT}\n{A}",
    "two that differ, the other way round": f"{A}\n{DRAFT}",
    "a list of two": f"[{DRAFT}, {A}]",
    "an object of two": f'{{"first": {DRAFT}, "second": {A}}}',
    "a final one that is cut": f"{DRAFT}\nNo, wait: {A[:-30]}",
    "a final one that is no JSON": f"{DRAFT}\nNo, wait: {A.replace(':', '', 1)}",
    "a final one without a category": f"{DRAFT}\nNo, wait: " + A.replace('"category"', '"kind"'),
    "a thought and no answer": f"<think>{A}</think>I cannot say.",
    "a thought that is cut": f"<think>It is {A} or",
    "a thought after the fact": f"{DRAFT}<think>No, it is</think>{A}",
    "cut": A[:-1],
    "cut in a list": A[: A.index("steps") + 20],
    "cut in a number": '{"itemName": "Bottle", "confidence": 0.9',
    "a value that is missing": pretty().replace('"itemName": "', '"itemName": , "x": "', 1),
    "a comma that is missing": A.replace(", ", " ", 1),
    "two commas": A[:-1] + ",,}",
    "an apostrophe": single_quoted().replace("'category'", "'note': 'it's', 'category'"),
    "an ellipsis": pretty().replace('"alternatives": ', '"alternatives": ... '),
    "thousands": pretty(hazardLevel=1).replace('"hazardLevel": 1', '"hazardLevel": 1,000'),
    "no object": "[1, 2]",
    "a text": json.dumps("I cannot say."),
    "nothing but braces": "{" * 19_999,
}


@pytest.mark.parametrize("text", NO_ANSWER.values(), ids=NO_ANSWER.keys())
def test_what_may_mean_two_things_is_no_answer(text: str) -> None:
    """Nothing is completed, and nothing chosen: it is asked for again."""
    with pytest.raises(Unusable):
        parse(text)


@pytest.mark.parametrize("end", range(0, len(A), 7))
def test_no_part_of_an_answer_is_an_answer(end: int) -> None:
    """Wherever an answer is cut, and however its end is mended by whoever sends it on, nothing is made up for it."""
    with pytest.raises(Unusable):
        parse(A[:end])
