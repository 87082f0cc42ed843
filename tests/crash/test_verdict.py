"""The reckoning itself: each way in which a promise can be broken is seen and named."""

from dataclasses import replace

import pytest

from instar.stores.migrate import load_steps
from instar.stores.sqlite.connection import open_writer
from instar.testing.crash.ledger import Ledger, Person, find_tokens, format_token
from instar.testing.crash.verdict import StoredWords, check_copy, judge

TOM = Person(name="tom1", channel="telegram")
SUE = Person(name="sue2")
ONE, TWO = "{tom1-1}", "{sue2-1}"


def told():
    """What a bridge's and a program's sender were told, and what was heard at the bridge."""
    ledger = Ledger()
    ledger.post(ONE, TOM)
    ledger.tell(ONE, {"status": "accepted"})
    ledger.hear("d1", chat_id="tom1", text=f"I heard {ONE}.")
    ledger.post(TWO, SUE)
    ledger.tell(TWO, {"runId": TWO})
    return ledger


def stored():
    """Rows as they should be."""
    words = StoredWords()
    for token, person in ((ONE, TOM), (TWO, SUE)):
        words.inbox[token] = ["answered"]
        words.asked[token] = [person.session_key]
        words.answered[token] = [person.session_key]
    words.owed[ONE] = [("sent", TOM.session_key)]
    return words


def test_a_token_is_found_as_often_as_it_stands_there():
    assert format_token("tom1", 1) == ONE
    assert find_tokens(f"{ONE}{TWO} and {ONE}, {{not one}}") == [ONE, TWO, ONE]


def test_sessions_are_those_that_the_gateway_derives():
    assert TOM.session_key == "agent:main:telegram:direct:tom1"
    assert replace(TOM, group="club0").session_key == "agent:main:telegram:group:club0"
    assert SUE.session_key == "agent:main:sue2"


def test_when_everything_is_as_told_nothing_is_found():
    assert judge(stored(), told()) == []


BREACHES = {
    "lost": (lambda words: words.inbox.pop(ONE), "its rows at the door are []"),
    "taken twice": (lambda words: words.inbox[ONE].append("answered"), "['answered', 'answered']"),
    "given up": (lambda words: words.inbox.update({ONE: ["expired"]}), "['expired']"),
    "stored twice": (lambda words: words.asked[TWO].append(SUE.session_key), "agent:main:sue2 (2"),
    "in another's session": (lambda words: words.asked.update({TWO: [TOM.session_key]}), "belong once into"),
    "answered twice": (lambda words: words.answered[TWO].append(SUE.session_key), "was answered in agent:main:sue2 (2"),
    "not answered": (lambda words: words.answered.pop(ONE), "it was answered in no session"),
    "not sent": (lambda words: words.owed.update({ONE: [("pending", TOM.session_key)]}), "the replies to it are"),
    "owed twice": (lambda words: words.owed[ONE].append(("sent", TOM.session_key)), "the replies to it are"),
    "from nowhere": (lambda words: words.inbox.update({"{tom9-9}": ["answered"]}), "nobody sent it"),
    "torn off": (lambda words: setattr(words, "orphans", 1), "name a parent"),
}


@pytest.mark.parametrize("name", BREACHES)
def test_each_breach_in_the_rows_is_named(name):
    breach, says = BREACHES[name]
    words = stored()
    breach(words)
    found = judge(words, told())
    assert found
    assert says in " ".join(found)


def test_what_senders_and_receivers_saw_is_held_against_itself():
    ledger = told()
    ledger.tell(ONE, {"status": "refused"})
    ledger.hear("d1", chat_id="tom1", text="other words")
    ledger.hear("d2", chat_id="ann", text=f"I heard {ONE}.")
    found = judge(stored(), ledger)
    assert found[0] == f"{ONE} was told {{'status': 'accepted'}} and then {{'status': 'refused'}}"
    assert found[1:3] == ["delivery d1 was handed out with two texts", f"{ONE} was answered in the chat ann"]
    assert f"{ONE}: 2 different replies to it were handed out" in found


def test_a_message_that_is_never_acknowledged_is_no_success():
    ledger = told()
    ledger.told.pop(ONE)
    assert f"{ONE}: it was repeated until the end and never acknowledged" in judge(stored(), ledger)


def test_a_copy_without_an_acknowledged_message_and_one_that_is_damaged_are_named(tmp_path):
    path = tmp_path / "instar.db"
    open_writer(str(path), load_steps("sqlite")).close()
    assert check_copy(path, []) == []
    assert check_copy(path, [ONE]) == [f"{ONE} was acknowledged and is not stored"]
    content = bytearray(path.read_bytes())
    content[3 * 4096 : 3 * 4096 + 64] = b"\xa5" * 64
    path.write_bytes(content)
    assert "integrity_check says" in check_copy(path, [])[0]
