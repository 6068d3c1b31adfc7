"""Other parameters for an association that lives (RFC 9260 section 11.1.12): what follows from each.

Most parameters are looked at when they are needed, in ``tcb.rules``. Some parts keep what they made of one: a path its
RTO and its thresholds, the window its size, a timer its deadline. All of these follow here, so that it does not matter
when a parameter was set. A path's parameter that was set for that path alone changes only when the association's does.

What the peer was told or asked stays as it is: the numbers of streams, the INIT. So does the order in which an attempt
that has begun asks the addresses.
"""

from __future__ import annotations

from errno import EINVAL

from ..config import AssociationConfig, least_switchover
from ..events import Writable
from ..path import failover, rto
from ..path.path import Path
from ..rules import Rules
from ..timers import NEVER
from . import reachability, recovery, transfer
from .state import CLOSED
from .tcb import Tcb


def reconfigure(tcb: Tcb, now: int, config: AssociationConfig) -> None:
    """The association behaves by ``config`` from now on."""
    before, old = tcb.config, tcb.rules
    tcb.configure(config)
    rules = tcb.rules
    if tcb.state == CLOSED:
        return
    for path in tcb.paths:
        _bound_rto(tcb, now, path, old)
        _follow(tcb, now, path, old)
    _shorten_timers(tcb, now)
    if tcb.opening is not None:
        tcb.opening.attempt.reconfigure(now, old, rules)
    if tcb.closing is not None:
        tcb.closing.schedule_guards(config)
    tcb.sack_policy.reconfigure(now, rules.sack_delay, rules.stretch_sack)
    tcb.limit_packets()
    transfer.resize(tcb)
    if rules.by_time != old.by_time:
        recovery.use(tcb, rules.by_time)
    if config.scheduler != before.scheduler:
        tcb.send_queue.use(config.scheduler)
    if config.stream_values != before.stream_values:
        for stream, value in config.stream_values:
            tcb.send_queue.set_value(stream, value)
    if tcb.wants_writable and tcb.buffered < rules.send_buffer:
        tcb.wants_writable = False
        tcb.events.append(Writable(tcb.association))


def configure_path(
    tcb: Tcb,
    now: int,
    path: Path,
    heartbeats: bool | None = None,
    heartbeat_interval: int = -1,
    max_retrans: int = -1,
    encaps_port: int = -1,
    potentially_failed_max_retrans: int = -1,
    mtu: int = -1,
    dscp: int = -1,
    flow_label: int = -1,
    mtu_discovery: bool | None = None,
    probe_timer: int = -1,
    primary_switchover_max_retrans: int = -1,
) -> None:
    """Change what is set for one path. Left out, or below 0: as it is. ``mtu`` is for a path that discovers nothing."""
    if max_retrans >= 0:
        path.max_retrans = max_retrans
    if potentially_failed_max_retrans >= 0:
        path.potentially_failed_max_retrans = potentially_failed_max_retrans
    if primary_switchover_max_retrans >= 0:
        path.primary_switchover_max_retrans = primary_switchover_max_retrans
    # Where the association's parameters change, a path's own PSMR rises with them.
    least = least_switchover(path.max_retrans, path.potentially_failed_max_retrans)
    path.primary_switchover_max_retrans = max(path.primary_switchover_max_retrans, least)
    if encaps_port >= 0:
        tcb.learn_port(path, encaps_port)
    if probe_timer >= 0:
        path.probe_timer = probe_timer
    if mtu_discovery is not None or mtu >= 0:
        if mtu_discovery:
            path.discover_mtu()
        else:
            path.fix_mtu(max(mtu, 0))
        tcb.limit_packets()
    if dscp >= 0:
        path.dscp = dscp
    if flow_label >= 0:
        path.flow_label = flow_label
    path.mark(tcb.rules)
    if heartbeat_interval >= 0:
        path.heartbeat_interval = heartbeat_interval
    if heartbeats is not None:
        path.heartbeat_enabled = heartbeats
        if not heartbeats:
            path.doubtful = False  # Nothing would be sent any more that could end the doubt.
    judged = tcb.state != CLOSED and failover.judge(path)
    if judged:
        tcb.tell_state(path)
    if judged or heartbeats is not None or heartbeat_interval >= 0:
        reachability.schedule(tcb, now, path)
    tcb.leave_failed_primary()


def check_switchover(path: Path, pmr: int, pfmr: int, psmr: int) -> None:
    """OSError EINVAL if a path cannot have these thresholds; below 0: the one that it has.

    "Implementations MUST reject any other values of PSMR" (RFC 7829 section 5, 1).
    """
    pmr = pmr if pmr >= 0 else path.max_retrans
    pfmr = pfmr if pfmr >= 0 else path.potentially_failed_max_retrans
    psmr = psmr if psmr >= 0 else path.primary_switchover_max_retrans
    if psmr < least_switchover(pmr, pfmr):
        raise OSError(EINVAL, "the primary path would be left before it has failed (RFC 7829 section 5)")


def _bound_rto(tcb: Tcb, now: int, path: Path, old: Rules) -> None:
    """RTO.Initial holds until the first measurement, RTO.Min and RTO.Max always (section 6.3.1)."""
    if path.srtt == 0 and path.rto == old.rto_initial:
        path.rto = tcb.rules.rto_initial
    rto.bound(path, tcb.rules)
    latest = now + path.rto
    path.errors_pause = min(path.errors_pause, latest)
    if path.t3_deadline != NEVER:
        path.t3_deadline = min(path.t3_deadline, latest)
    if path.heartbeat_timeout != NEVER:
        path.heartbeat_timeout = min(path.heartbeat_timeout, latest)


def _follow(tcb: Tcb, now: int, path: Path, old: Rules) -> None:
    """What the path has from the association's parameters changes if these did."""
    rules = tcb.rules
    if rules.path_mtu_discovery != old.path_mtu_discovery:
        if rules.path_mtu_discovery:
            path.discover_mtu()
        else:
            path.fix_mtu()
    if rules.mtu != old.mtu:
        path.limit_mtu(rules)
    if rules.cubic != old.cubic:
        path.use_controller(rules)
    interval = rules.heartbeat_interval
    other_interval = interval != old.heartbeat_interval
    pf = rules.potentially_failed_max_retrans
    timer = rules.path_mtu_probe_timer
    switchover = rules.primary_switchover_max_retrans
    configure_path(
        tcb,
        now,
        path,
        heartbeats=interval > 0 if other_interval else None,
        heartbeat_interval=interval if other_interval and interval > 0 else -1,
        max_retrans=rules.path_max_retrans if rules.path_max_retrans != old.path_max_retrans else -1,
        potentially_failed_max_retrans=pf if pf != old.potentially_failed_max_retrans else -1,
        probe_timer=timer if timer != old.path_mtu_probe_timer else -1,
        primary_switchover_max_retrans=switchover if switchover != old.primary_switchover_max_retrans else -1,
    )


def _shorten_timers(tcb: Tcb, now: int) -> None:
    """What waits for an RTO waits no longer than the RTO is now."""
    opening = tcb.opening
    if opening is not None and opening.t1_cookie_deadline != NEVER:
        assert opening.t1_cookie_path is not None  # T1-cookie runs.
        opening.t1_cookie_deadline = min(opening.t1_cookie_deadline, now + opening.t1_cookie_path.rto)
    closing = tcb.closing
    if closing is not None and closing.t2_deadline != NEVER:
        assert closing.t2_path is not None  # T2-shutdown runs.
        closing.t2_deadline = min(closing.t2_deadline, now + closing.t2_path.rto)
    probe = tcb.probe
    if probe is not None:
        probe.interval = min(probe.interval, tcb.rules.rto_max)
        if probe.deadline != NEVER and probe.interval:
            probe.deadline = min(probe.deadline, now + probe.interval)
    if tcb.paths:
        tcb.heartbeat_window = min(tcb.heartbeat_window, now + min([path.rto for path in tcb.paths]))
