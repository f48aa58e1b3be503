"""The camera's body: what holds whatever happens, and single things that happen."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.device import (
    Advance,
    Ambient,
    Booted,
    Charge,
    ClockJumped,
    Command,
    Device,
    DeviceState,
    Effect,
    Fill,
    Hang,
    Heated,
    Lamp,
    Load,
    LostPower,
    Plug,
    PowerOff,
    PowerOn,
    Press,
    Pressed,
    Profile,
    Pulse,
    Reset,
    Restarted,
    ShiftClock,
    Stall,
    StorageFull,
    Throttling,
    TimeFix,
    step,
)
from firmware_sim.device.power import rest_volts, status

PROFILE = Profile()
TRUTH = 1_800_000_000.0
_share = st.floats(0, 1)
COMMANDS = st.one_of(
    st.sampled_from([Advance(), PowerOn(), PowerOff(), Hang(), Reset(), Pulse(100)]),
    st.sampled_from([Lamp(100, 100), Plug(0), Plug(5), Plug(20)]),
    st.builds(Press, st.sampled_from(["record", "arm", "mark", "privacy"])),
    st.builds(Load, _share),
    st.builds(Charge, st.floats(0, 100)),
    st.builds(Ambient, st.floats(-20, 60)),
    st.builds(Heated, st.floats(-20, 120)),
    st.builds(Fill, st.floats(-40_000, 40_000)),
    st.builds(Stall, st.floats(0, 60)),
    st.builds(TimeFix, st.floats(TRUTH, TRUTH + 1e6)),
    st.builds(ShiftClock, st.floats(-1e6, 1e6)),
)
STORY = st.lists(st.tuples(st.floats(0, 120), COMMANDS), max_size=25)


def started(profile: Profile = PROFILE, percent: float = 100) -> Device:
    device = Device(profile, now=0.0, percent=percent)
    device.step(PowerOn(), now=0.0)
    device.step(Advance(), now=profile.boot_s)
    assert device.state.phase == "running"
    return device


def play(story: list[tuple[float, Command]]) -> list[tuple[DeviceState, tuple[Effect, ...]]]:
    device, now, found = Device(PROFILE, now=0.0), 0.0, []
    for pause, command in story:
        now += pause
        effects = device.step(command, now=now)
        found.append((device.state, effects))
    return found


@given(STORY)
def test_what_always_holds(story: list[tuple[float, Command]]) -> None:
    before = Device(PROFILE, now=0.0).state
    for (state, effects), (_, command) in zip(play(story), story, strict=True):
        assert 0 <= state.power.charge <= 1
        assert 0 <= state.power.volts <= 4.2
        assert 0 <= state.used_mb <= PROFILE.storage_mb
        assert math.isfinite(state.heat.chip_c)
        if state.phase in ("off", "booting"):
            assert (state.video, state.recording, state.lamp) == ("off", False, (0, 1))
        if state.phase == "hung":
            assert state.now - state.since < PROFILE.watchdog_s
        if state.phase == "booting":
            assert state.now - state.since < PROFILE.boot_s
        if not (before.power.charger_w or isinstance(command, Charge)):
            assert state.power.charge <= before.power.charge
        if state.phase != "off" and not state.power.charger_w:
            assert state.power.volts >= PROFILE.brown_out_v
        assert sum(isinstance(effect, ClockJumped) for effect in effects) <= 1
        before = state


@given(STORY)
def test_the_same_happens_again_bit_for_bit(story: list[tuple[float, Command]]) -> None:
    assert play(story) == play(story)


@given(STORY, st.floats(0.01, 0.99))
@settings(max_examples=50)
def test_looking_in_between_changes_no_deadline(
    story: list[tuple[float, Command]], share: float
) -> None:
    """Effects come at their own times, however often somebody looks."""
    looked, now = Device(PROFILE, now=0.0), 0.0
    seen: list[list[Effect]] = []
    for pause, command in story:
        early = looked.step(Advance(), now=now + pause * share)
        now += pause
        seen.append([*early, *looked.step(command, now=now)])
    kinds = [[type(effect) for effect in effects] for effects in seen]
    assert kinds == [[type(effect) for effect in effects] for _, effects in play(story)]


def test_it_boots_in_its_time_and_only_then_shows_a_picture() -> None:
    device = Device(PROFILE, now=5.0)
    device.step(PowerOn(), now=5.0)
    assert device.step(Advance(), now=22.9) == ()
    assert device.state.video == "off"
    assert device.step(Advance(), now=23.0) == (Booted(),)
    assert device.state.video == "on"


def test_a_battery_lasts_as_long_as_its_watt_hours_and_ends_in_a_brown_out() -> None:
    device = started()
    device.step(Load(0.5), now=18.0)
    effects: list[Effect] = []
    hours = 0.0
    while device.state.phase == "running":
        hours += 0.1
        effects += device.step(Advance(), now=18 + 3600 * hours)
    watts = PROFILE.idle_w + 0.5 * PROFILE.cpu_w + PROFILE.camera_w
    assert hours == pytest.approx(PROFILE.battery_wh / watts, rel=0.05)
    assert effects[-1] == LostPower(brown_out=True)
    assert device.step(PowerOn(), now=device.state.now) == ()
    assert device.state.phase == "off", "it does not start on an empty battery"
    device.step(Plug(15), now=device.state.now)
    device.step(PowerOn(), now=device.state.now)
    assert device.state.phase == "booting"


def test_a_weak_battery_gives_in_under_load_first() -> None:
    device = started(replace(PROFILE, cell_ohm=0.15), percent=5)
    device.step(Load(0.0), now=18.0)
    assert device.state.phase == "running"
    assert LostPower(brown_out=True) in device.step(Load(1.0), now=18.0)


def test_charging() -> None:
    device = started(percent=50)
    device.step(Plug(15), now=18.0)
    assert status(device.state) == "Charging"
    device.step(Advance(), now=18 + 2 * 3600)
    assert device.state.percent > 80
    device.step(Advance(), now=18 + 24 * 3600)
    assert (device.state.percent, status(device.state)) == (100, "Full")
    device.step(Plug(0.1), now=device.state.now)
    assert status(device.state) == "Discharging", "less than it needs"


def test_voltage_rises_with_charge() -> None:
    volts = [rest_volts(share / 100) for share in range(101)]
    assert volts == sorted(volts)
    assert (volts[0], volts[-1]) == (3.0, 4.2)


def test_heat_settles_slows_the_processor_and_frees_it_again() -> None:
    device = started()
    device.step(Load(1.0), now=18.0)
    device.step(Ambient(35.0), now=18.0)
    effects = device.step(Advance(), now=1000.0)
    assert effects == (Throttling(on=True),)
    slowed = PROFILE.idle_w + PROFILE.throttled * PROFILE.cpu_w
    device.step(Ambient(10.0), now=1000.0)
    assert device.step(Advance(), now=2000.0) == (Throttling(on=False),)
    device.step(Ambient(45.0), now=2000.0)
    device.step(Advance(), now=9000.0)
    assert device.state.heat.throttled
    assert device.state.heat.chip_c == pytest.approx(45 + PROFILE.kelvin_per_w * slowed, abs=0.1)


def test_a_hung_firmware_is_restarted_by_its_watchdog() -> None:
    device = started()
    device.step(Hang(), now=20.0)
    assert device.state.video == "stalled"
    assert device.step(Press("arm"), now=21.0) == ()
    assert device.step(Advance(), now=35.0) == (Restarted(watchdog=True),)
    assert device.state.phase == "booting"
    assert device.step(Advance(), now=53.0) == (Booted(),)


def test_a_stall_ends_by_itself() -> None:
    device = started()
    device.step(Stall(5.0), now=20.0)
    assert device.state.video == "stalled"
    device.step(Advance(), now=25.0)
    assert device.state.video == "on"


def test_its_clock_starts_wrong_drifts_and_jumps_at_the_first_fix_of_each_boot() -> None:
    device = started()
    assert device.state.wall_at(1018.0) - PROFILE.boot_wall == pytest.approx(1018.0407)
    (jump,) = device.step(TimeFix(TRUTH), now=100.0)
    assert isinstance(jump, ClockJumped)
    assert jump.by_s == pytest.approx(TRUTH - PROFILE.boot_wall - 100, abs=0.1)
    assert device.step(TimeFix(TRUTH + 50), now=150.0) == ()
    assert device.state.wall_at(160.0) == TRUTH + 60
    assert device.step(ShiftClock(-30), now=160.0) == (ClockJumped(-30),)
    assert device.state.wall_at(160.0) == TRUTH + 30
    device.step(Reset(), now=200.0)
    device.step(Advance(), now=230.0)
    assert device.state.wall_at(230.0) < PROFILE.boot_wall + 40
    assert len(device.step(TimeFix(TRUTH + 130), now=230.0)) == 1


def test_buttons() -> None:
    device = started()
    assert device.step(Press("arm"), now=20.0) == (Pressed("arm"),)
    assert device.step(Press("mark"), now=20.0) == (Pressed("mark"),)
    device.step(Press("record"), now=20.0)
    assert device.state.recording
    device.step(Press("privacy"), now=20.0)
    assert device.state.video == "stalled"
    device.step(Press("privacy"), now=21.0)
    assert device.state.video == "on"
    device.step(PowerOff(), now=22.0)
    assert device.step(Press("arm"), now=23.0) == ()


def test_a_full_card_ends_the_recording() -> None:
    device = started()
    device.step(Fill(31_990.0), now=20.0)
    device.step(Press("record"), now=20.0)
    assert device.step(Advance(), now=40.0) == (StorageFull(),)
    assert not device.state.recording
    device.step(Press("record"), now=40.0)
    assert not device.state.recording, "there is no room"


def test_lamp_and_vibrator_are_dark_and_still_when_it_is_off() -> None:
    device = started()
    device.step(Lamp(1, 0), now=20.0)
    device.step(Pulse(150), now=20.0)
    assert (device.state.lamp, device.state.pulses) == ((1, 0), 1)
    device.step(PowerOff(), now=21.0)
    device.step(Pulse(150), now=21.0)
    assert (device.state.lamp, device.state.pulses) == ((0, 1), 1)


@pytest.mark.parametrize(
    "command", [Load(1.1), Charge(-1), Charge(math.nan), Heated(math.inf), Stall(-1)]
)
def test_figures_out_of_bounds_are_refused(command: Command) -> None:
    device = started()
    with pytest.raises(ValueError, match="is not between"):
        device.step(command, now=30.0)


def test_time_does_not_go_back() -> None:
    device = started()
    for now in (17.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="time goes"):
            step(device.state, Advance(), now=now)
