"""Getting along: silence, noise, "say that again", a sound of attention. Each is counted, so each has an end. Pure."""

from __future__ import annotations

from dialog import events as ev
from dialog.api import Expect, Expectation
from dialog.runner import CALL_BACK, Runner

CLOSING = "closing"
SILENCES, PATIENT_SILENCES, NOISES, REPEATS, WAITS = 3, 6, 3, 3, 5


def wait(runner: Runner) -> None:
    """The person needs a moment: the next silences are borne longer."""
    runner.talk.emit(ev.Progress("wait"))
    if runner.talk.state.waits > WAITS:
        runner.fail("not_understood")
        return
    runner.talk.say("wait")
    runner.expect()


def silence(runner: Runner) -> None:
    talk = runner.talk
    talk.emit(ev.Progress("silence"))
    count, state = talk.state.silences, talk.state
    if count >= (PATIENT_SILENCES if state.patient else SILENCES):
        runner.hang_up("no_input", "goodbye_silence")
    elif state.patient:
        talk.say("still_waiting")
        runner.expect()
    elif talk.vault.dictated and state.top:
        known = talk.vault.dictated
        spec = talk.books.flows.slots.get(runner.slot())
        missing = str(spec.length - len(known)) if spec else ""
        talk.say("digits_so_far", known=known, missing=missing, personal="y" if spec and spec.personal else "")
        runner.expect()
    elif not state.top and state.helped and count == 1:
        runner.start(CLOSING)
    else:
        talk.say("still_there")
        runner.ask()


def noise(runner: Runner) -> None:
    runner.talk.emit(ev.Progress("noise"))
    if runner.talk.state.noises >= NOISES:
        runner.hang_up("noise", "goodbye_noise")
        return
    runner.talk.say("not_heard")
    runner.ask()


def repeat(runner: Runner) -> None:
    talk = runner.talk
    talk.emit(ev.Progress("repeat"))
    if talk.state.repeats > REPEATS:
        runner.escalate("repeated_failure")
        return
    talk.say("repeat_lead")
    leads = {line.text for line in talk.lines}
    again = [line for line in talk.last_reply() if line.text not in leads]
    if again:
        talk.lines += again
    elif talk.state.stack:
        runner.ask()
    else:
        talk.say("go_ahead")
    runner.expect()


def listening(runner: Runner) -> None:
    """A sound of attention while something is waited for."""
    if attentive(runner):
        runner.talk.say("go_ahead")
        runner.ask() if not runner.talk.vault.dictated else runner.expect()


def attentive(runner: Runner) -> bool:
    """Nothing was said that leads on: counted like a silence, so that it ends. False when it just did."""
    runner.talk.emit(ev.Progress("silence"))
    if runner.talk.state.silences < SILENCES:
        return True
    runner.fail("not_understood")
    return False


def handing_over(runner: Runner) -> None:
    talk = runner.talk
    talk.emit(ev.Progress("silence"))
    if talk.state.silences > SILENCES:
        talk.emit(ev.TransferFailed("no answer"))
        talk.emit(ev.Progress("apologised"))
        talk.say("transfer_failed")
        runner.start(CALL_BACK)
        return
    talk.say("handing_over")
    talk.expect = Expectation(Expect.NOTHING)
